/** A failing seed is shrunk to less that fails alike, and can be replayed as it is printed. */

import { describe, expect, it } from "vitest";
import { huntHere } from "./mutants/hunter.ts";
import { mutations } from "./mutations.ts";
import type { Parts } from "./parts.ts";
import { argumentsOf, isTrouble, type Reduction, reducedPlan, unreduced } from "./reduction.ts";
import { runReduced, type Shrunk, shrink } from "./shrink.ts";
import { simulate } from "./simulation.ts";

const timeout = 120_000;

function full(seed: number): Reduction {
  return unreduced(seed, { isWhole: false });
}

async function shrunkBy(
  id: string,
): Promise<{ readonly shrunk: Shrunk; readonly parts: () => Parts }> {
  const mutation = mutations.find((known) => known.id === id);
  if (mutation === undefined) throw new Error(`${id} is no mutation`);
  const { caught } = await huntHere(mutation, { from: 1, count: 1_000 });
  const shrunk = caught === null ? null : await shrink(full(caught.seed), mutation.parts);
  if (shrunk === null) throw new Error(`${id} is not caught`);
  return { shrunk, parts: mutation.parts };
}

describe("a failing seed", () => {
  it.each(["votes-forged", "matches-forged"])("of %s is shrunk", { timeout }, async (id) => {
    const { shrunk, parts } = await shrunkBy(id);
    const { before, after, reduction, violation } = shrunk;
    expect(after.nodes).toBeLessThanOrEqual(before.nodes);
    expect(after.faults).toBeLessThan(before.faults);
    expect(after.steps).toBeLessThan(before.steps);
    expect(shrunk.story.filter((line) => line.includes("  fault "))).toHaveLength(after.faults);
    const again = await runReduced(reduction, parts());
    expect(again.violation?.message).toBe(violation.message);
    expect(again.faults).toEqual(reduction.faults?.slice(0, again.faults.length));
  });

  it("of which nothing is left out is the seed", async () => {
    const { steps, faults } = simulate(7);
    const reduced = await runReduced(full(7));
    expect(reduced.steps).toBe(steps);
    expect(reduced.faults).toEqual(faults);
    expect((await runReduced({ ...full(7), faults })).steps).toBe(steps);
  });

  it("that keeps its promises is not shrunk", async () => {
    expect(await shrink(full(1))).toBeNull();
  });
});

describe("a reduction", () => {
  it("is what its arguments say", () => {
    const reduction = {
      seed: 4711,
      isWhole: false,
      nodes: 3,
      chaosMs: 120,
      without: ["losses", "second-round"],
      faults: ["crash-2"],
    } as const;
    expect(argumentsOf(reduction)).toBe(
      "--seed 4711 --nodes 3 --chaos 120 --without losses,second-round --faults crash-2",
    );
    const plan = reducedPlan(reduction);
    expect(plan).toMatchObject({ clusterSize: 3, chaosMs: 120, rounds: 1 });
    expect(plan.chaos.network.lossRate).toBe(0);
    expect(argumentsOf({ ...full(1), faults: [] })).toBe("--seed 1 --faults none");
    expect(argumentsOf(unreduced(1, { isWhole: true }))).toBe("--whole --seed 1");
  });

  it("knows its troubles", () => {
    expect(isTrouble("losses")).toBe(true);
    expect(isTrouble("toString")).toBe(false);
  });
});
