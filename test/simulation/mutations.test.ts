/** The simulator notices what is broken on purpose, and says what it breaks. */

import { describe, expect, it } from "vitest";
import { mutations } from "./mutations.ts";
import { simulate } from "./simulation.ts";
import type { Property } from "./violation.ts";

/** The most seeds that a mutation may take to show as what it is. Most need one or two; forgotten memory shows in one of fifty. */
const seedsMax = 1_000;
/** They take a few seconds at most where nothing else runs. */
const timeout = 300_000;

describe("the simulator catches", () => {
  it.each(mutations)("$name", { timeout }, ({ parts, caughtAs }) => {
    const seen = new Set<Property>();
    const isCaught = () => caughtAs.some((property) => seen.has(property));
    for (let seed = 1; seed <= seedsMax && !isCaught(); seed++) {
      const { violation } = simulate(seed, { parts: parts() });
      if (violation !== null) seen.add(violation.property);
    }
    expect(isCaught(), `seen: ${[...seen].join(", ")}`).toBe(true);
  });
});
