/** The simulator notices what is broken on purpose, and says what it breaks. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { sourceMutants } from "./mutants/all.ts";
import { applyEdits, urlOf } from "./mutants/edits.ts";
import { type Ground, hunt } from "./mutants/hunt.ts";
import { huntHere } from "./mutants/hunter.ts";
import { type Mutant, seedsOfATest } from "./mutants/mutant.ts";
import { mutations } from "./mutations.ts";

/** They take a few seconds at most where nothing else runs. */
const timeout = 300_000;

function groundFor({ seedsMax }: Mutant): Ground {
  return { from: 1, count: seedsMax };
}

describe("the simulator catches", () => {
  it.each(mutations)("$breaks", { timeout }, async (mutation) => {
    const { caught, others } = await huntHere(mutation, groundFor(mutation));
    expect(caught, `seen: ${others.join("; ")}`).not.toBeNull();
  });

  // Those that take more seeds are hunted by `npm run simulate -- --mutants`.
  const quick = sourceMutants.filter(({ seedsMax }) => seedsMax <= seedsOfATest);

  it.each(quick)("that $breaks", { timeout }, async (mutant) => {
    const { caught, others } = await hunt(mutant, groundFor(mutant));
    expect(caught, `seen: ${others.join("; ")}`).not.toBeNull();
  });
});

describe("a mutant", () => {
  it.each(sourceMutants)("finds what it is to change: $id", ({ edits }) => {
    expect(edits).not.toEqual([]);
    for (const url of new Set(edits.map(urlOf))) {
      const text = readFileSync(fileURLToPath(url), "utf8");
      const here = edits.filter((edit) => urlOf(edit) === url);
      expect(applyEdits(text, here)).not.toBe(text);
    }
  });

  it("has an id of its own", () => {
    const ids = [...sourceMutants, ...mutations].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each([
    ["absent", 0],
    ["twice", 2],
  ])("misses what is %s", (find, count) => {
    const edit = { file: "x.ts", find, replace: "" };
    const message = `src/x.ts has ${count} times, and not once: ${find}`;
    expect(() => applyEdits("twice, twice", [edit])).toThrow(message);
  });

  it("is caught by what it breaks only", async () => {
    const [mutant] = sourceMutants;
    if (mutant === undefined) throw new Error("there are mutants");
    const { caught, others } = await hunt({ ...mutant, caughtAs: [] }, { from: 1, count: 3 });
    expect(caught).toBeNull();
    expect(others).not.toEqual([]);
  });
});
