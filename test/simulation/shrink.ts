/**
 * Shrinks a failing seed: leaves out nodes, troubles and faults, and shortens it, as long as it still breaks
 * the same property. Every attempt is a simulation of its own; what is left is smaller, and not the
 * smallest there is.
 */

import type { Parts } from "./parts.ts";
import { allTroubles, type Reduction, reducedPlan, wholeSeed } from "./reduction.ts";
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

export function runReduced(
  reduction: Reduction,
  parts: Parts | null = null,
  onLine: ((line: string) => void) | null = null,
): SimulationResult {
  return simulate(reduction.seed, {
    plan: reducedPlan(reduction),
    ...(reduction.faults === null ? {} : { faults: new Set(reduction.faults) }),
    ...(parts === null ? {} : { parts }),
    ...(onLine === null ? {} : { onLine }),
  });
}

/** null if the seed does not fail. `parts` are made anew for each attempt. */
export function shrink(seed: number, parts: () => Parts | null = () => null): Shrunk | null {
  const whole = wholeSeed(seed);
  const result = runReduced(whole, parts());
  const { violation } = result;
  if (violation === null) return null;
  const shrinking = new Shrinking(violation.property, parts);
  const reduction = shrinking.run({ ...whole, faults: result.faults });
  const lines: string[] = [];
  const last = runReduced(reduction, parts(), (line) => lines.push(line));
  return {
    reduction,
    violation: last.violation ?? violation,
    attempts: shrinking.attempts,
    before: sizeOf(whole, result),
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

  run(first: Reduction): Reduction {
    // Cutting off its end changes nothing that came before.
    let reduction = this.#shorter(first);
    reduction = this.#fewerFaults(reduction);
    reduction = this.#fewerNodes(reduction);
    reduction = this.#fewerTroubles(reduction);
    return this.#shorter(this.#fewerFaults(reduction));
  }

  #stillFails(reduction: Reduction): boolean {
    if (this.#attempts >= attemptsMax) return false;
    this.#attempts++;
    return runReduced(reduction, this.#parts()).violation?.property === this.#property;
  }

  #fewerNodes(reduction: Reduction): Reduction {
    const { clusterSize } = reducedPlan(reduction);
    const smaller = [1, 2, 3, 4, 5].filter((nodes) => nodes < clusterSize);
    const fewer = smaller.map((nodes) => ({ ...reduction, nodes }));
    return fewer.find((attempt) => this.#stillFails(attempt)) ?? reduction;
  }

  #fewerTroubles(reduction: Reduction): Reduction {
    let left = reduction;
    for (const trouble of allTroubles) {
      const attempt = { ...left, without: [...left.without, trouble] };
      if (this.#stillFails(attempt)) left = attempt;
    }
    return left;
  }

  /** Leaves out ever smaller groups (delta debugging: Zeller and Hildebrandt 2002). */
  #fewerFaults(reduction: Reduction): Reduction {
    let faults = reduction.faults ?? [];
    for (let size = faults.length; size >= 1; size = Math.floor(size / 2)) {
      for (let from = 0; from < faults.length; ) {
        const rest = [...faults.slice(0, from), ...faults.slice(from + size)];
        if (this.#stillFails({ ...reduction, faults: rest })) faults = rest;
        else from += size;
      }
    }
    return { ...reduction, faults };
  }

  #shorter(reduction: Reduction): Reduction {
    let left = reduction;
    for (const share of [0.25, 0.5, 0.75]) {
      const chaosMs = Math.ceil(reducedPlan(left).chaosMs * share);
      const attempt = { ...left, chaosMs };
      if (this.#stillFails(attempt)) left = attempt;
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
