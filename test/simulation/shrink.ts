/**
 * Shrinks a failing seed: leaves out nodes, troubles and faults, and shortens it, as long as it still breaks
 * the same property. Every attempt is a simulation of its own; what is left is smaller, and not the
 * smallest there is.
 */

import type { Parts } from "./parts.ts";
import { allTroubles, type Reduction, reducedPlan } from "./reduction.ts";
import { type SimulationResult, simulate } from "./simulation.ts";
import type { Property, Violation } from "./violation.ts";

export interface Shrunk {
  readonly reduction: Reduction;
  readonly violation: Violation;
  readonly attempts: number;
  /** Of the seed as it was, and of what is left. */
  readonly before: Size;
  readonly after: Size;
  /** The faults that are left, and what each did, with their times. */
  readonly story: readonly string[];
}

export interface Size {
  readonly nodes: number;
  readonly faults: number;
  readonly steps: number;
}

/** A few seconds for most. */
const attemptsMax = 250;

/** `parts`: of cores and drivers; whole nodes are made of what they are made of. */
export async function runReduced(
  reduction: Reduction,
  parts: Parts | null = null,
  onLine: ((line: string) => void) | null = null,
): Promise<SimulationResult> {
  const options = {
    plan: reducedPlan(reduction),
    ...(reduction.faults === null ? {} : { faults: new Set(reduction.faults) }),
    ...(onLine === null ? {} : { onLine }),
  };
  if (!reduction.isWhole) {
    return simulate(reduction.seed, { ...options, ...(parts === null ? {} : { parts }) });
  }
  // Loaded where it is asked for: it brings all that a node is made of.
  const { simulateWhole } = await import("./whole/simulate-whole.ts");
  return simulateWhole(reduction.seed, options);
}

/** null if it does not fail. `parts` are made anew for each attempt. */
export async function shrink(
  full: Reduction,
  parts: () => Parts | null = () => null,
): Promise<Shrunk | null> {
  const result = await runReduced(full, parts());
  const { violation } = result;
  if (violation === null) return null;
  const shrinking = new Shrinking(violation.property, parts);
  const reduction = await shrinking.run({ ...full, faults: result.faults });
  const lines: string[] = [];
  const last = await runReduced(reduction, parts(), (line) => lines.push(line));
  return {
    reduction,
    violation: last.violation ?? violation,
    attempts: shrinking.attempts,
    before: sizeOf(full, result),
    after: sizeOf(reduction, last),
    story: storyOf(lines),
  };
}

class Shrinking {
  readonly #property: Property;
  readonly #parts: () => Parts | null;
  #attempts = 0;

  constructor(property: Property, parts: () => Parts | null) {
    this.#property = property;
    this.#parts = parts;
  }

  get attempts(): number {
    return this.#attempts;
  }

  async run(first: Reduction): Promise<Reduction> {
    // Cutting off its end changes nothing that came before.
    let reduction = await this.#shorter(first);
    reduction = await this.#fewerFaults(reduction);
    reduction = await this.#fewerNodes(reduction);
    reduction = await this.#fewerTroubles(reduction);
    return this.#shorter(await this.#fewerFaults(reduction));
  }

  async #stillFails(reduction: Reduction): Promise<boolean> {
    if (this.#attempts >= attemptsMax) return false;
    this.#attempts++;
    const { violation } = await runReduced(reduction, this.#parts());
    return violation?.property === this.#property;
  }

  async #fewerNodes(reduction: Reduction): Promise<Reduction> {
    const { clusterSize } = reducedPlan(reduction);
    for (let nodes = 1; nodes < clusterSize; nodes++) {
      const attempt = { ...reduction, nodes };
      if (await this.#stillFails(attempt)) return attempt;
    }
    return reduction;
  }

  async #fewerTroubles(reduction: Reduction): Promise<Reduction> {
    let left = reduction;
    for (const trouble of allTroubles) {
      const attempt = { ...left, without: [...left.without, trouble] };
      if (await this.#stillFails(attempt)) left = attempt;
    }
    return left;
  }

  /** Leaves out ever smaller groups (delta debugging: Zeller and Hildebrandt 2002). */
  async #fewerFaults(reduction: Reduction): Promise<Reduction> {
    let faults = reduction.faults ?? [];
    for (let size = faults.length; size >= 1; size = Math.floor(size / 2)) {
      for (let from = 0; from < faults.length; ) {
        const rest = [...faults.slice(0, from), ...faults.slice(from + size)];
        if (await this.#stillFails({ ...reduction, faults: rest })) faults = rest;
        else from += size;
      }
    }
    return { ...reduction, faults };
  }

  async #shorter(reduction: Reduction): Promise<Reduction> {
    let left = reduction;
    for (const share of [0.25, 0.5, 0.75]) {
      const chaosMs = Math.ceil(reducedPlan(left).chaosMs * share);
      const attempt = { ...left, chaosMs };
      if (await this.#stillFails(attempt)) left = attempt;
    }
    return left;
  }
}

function sizeOf(reduction: Reduction, { faults, steps }: SimulationResult): Size {
  return { nodes: reducedPlan(reduction).clusterSize, faults: faults.length, steps };
}

/** Each fault that happened, with the first thing that it did. */
function storyOf(lines: readonly string[]): readonly string[] {
  const isFault = (line: string | undefined) => /^\s*[\d.]+ {2}fault /.test(line ?? "");
  return lines.flatMap((line, at) => {
    if (!isFault(line)) return [];
    const next = lines[at + 1];
    return next === undefined || isFault(next) ? [line] : [line, next];
  });
}
