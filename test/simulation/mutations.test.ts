/** The simulator notices what is broken on purpose, and says what it breaks. */

import { describe, expect, it } from "vitest";
import { mutations } from "./mutations.ts";
import { simulate } from "./simulation.ts";
import type { Violation } from "./violation.ts";

/** The most seeds that a mutation may take to show; most need one or two. */
const seedsMax = 100;

describe("the simulator catches", () => {
  it.each(mutations)("$name", ({ parts, caughtAs }) => {
    let violation: Violation | null = null;
    for (let seed = 1; seed <= seedsMax && violation === null; seed++) {
      violation = simulate(seed, { parts: parts() }).violation;
    }
    expect(violation?.message).toBeDefined();
    expect(caughtAs).toContain(violation?.property);
  });
});
