/** A failing seed is shrunk to less that fails alike, and can be replayed as it is printed. */

import { describe, expect, it } from "vitest";
import { huntHere } from "./mutants/hunter.ts";
import { mutations } from "./mutations.ts";
import type { Parts } from "./parts.ts";
import { argumentsOf, isTrouble, reducedPlan, wholeSeed } from "./reduction.ts";
import { runReduced, type Shrunk, shrink } from "./shrink.ts";
import { simulate } from "./simulation.ts";

const timeout = 120_000;

function shrunkBy(id: string): { readonly shrunk: Shrunk; readonly parts: () => Parts } {
  const mutation = mutations.find((known) => known.id === id);
  if (mutation === undefined) throw new Error(`${id} is no mutation`);
  const { caught } = huntHere(mutation, { from: 1, count: 1_000 });
  const shrunk = caught === null ? null : shrink(caught.seed, mutation.parts);
  if (shrunk === null) throw new Error(`${id} is not caught`);
  return { shrunk, parts: mutation.parts };
}

describe("a failing seed", () => {
  it.each(["votes-forged", "lossy-host"])("of %s is shrunk", { timeout }, (id) => {
    const { shrunk, parts } = shrunkBy(id);
    const { before, after, reduction, violation } = shrunk;
    expect(after.nodes).toBeLessThanOrEqual(before.nodes);
    expect(after.faults).toBeLessThan(before.faults);
    expect(after.steps).toBeLessThan(before.steps);
    expect(shrunk.story.filter((line) => line.includes("  fault "))).toHaveLength(after.faults);
    const again = runReduced(reduction, parts());
    expect(again.violation?.message).toBe(violation.message);
    expect(again.faults).toEqual(reduction.faults?.slice(0, again.faults.length));
  });

  it("of which nothing is left out is the seed", () => {
    const whole = simulate(7);
    const reduced = runReduced(wholeSeed(7));
    expect(reduced.steps).toBe(whole.steps);
    expect(reduced.faults).toEqual(whole.faults);
    expect(runReduced({ ...wholeSeed(7), faults: whole.faults }).steps).toBe(whole.steps);
  });

  it("that keeps its promises is not shrunk", () => {
    expect(shrink(1)).toBeNull();
  });
});

describe("a reduction", () => {
  it("is what its arguments say", () => {
    const reduction = {
      seed: 4711,
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
    expect(argumentsOf({ ...wholeSeed(1), faults: [] })).toBe("--seed 1 --faults none");
  });

  it("knows its troubles", () => {
    expect(isTrouble("losses")).toBe(true);
    expect(isTrouble("toString")).toBe(false);
  });
});
