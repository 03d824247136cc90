/** Runs seeds until a mutant shows. Loaded by a thread that has broken the product by then, or nothing. */

import { InvariantError, unreachable } from "../../../src/base/assert.ts";
import { mutations } from "../mutations.ts";
import { type Parts, soundParts } from "../parts.ts";
import { seedsOf } from "../seeds.ts";
import { replay, showShrunk } from "../show.ts";
import { simulate } from "../simulation.ts";
import type { Violation } from "../violation.ts";
import type { Ground, Hunt, Order, Reply } from "./hunt.ts";
import type { Mutant } from "./mutant.ts";

export function carryOut(order: Order): Reply {
  const { mutant } = order;
  switch (order.kind) {
    case "hunt":
      return { kind: "hunted", hunt: huntHere(mutant, order) };
    case "replay":
      return { kind: "shown", isWell: replay(order.reduction, partsOf(mutant)) };
    case "shrink": {
      const isWell = showShrunk(order.seed, () => partsOf(mutant), mutant.id);
      return { kind: "shown", isWell };
    }
    default:
      return unreachable(order);
  }
}

export function huntHere(mutant: Mutant, { from, count }: Ground): Hunt {
  const { wipesOnly } = mutant;
  let seeds = 0;
  const others = new Set<string>();
  for (const seed of seedsOf({ from, count, workers: 1, wipesOnly }, 0)) {
    seeds++;
    const { violation } = simulate(seed, { parts: partsOf(mutant) });
    if (violation === null) continue;
    const { property, message } = violation;
    if (mutant.caughtAs.includes(property) && isProof(violation)) {
      return {
        seeds,
        caught: { seed, property, message: firstLine(message) },
        others: [...others],
      };
    }
    others.add(firstLine(message));
  }
  return { seeds, caught: null, others: [...others] };
}

function partsOf(mutant: Mutant): Parts {
  return mutations.find(({ id }) => id === mutant.id)?.parts() ?? soundParts;
}

/** A mutant that merely crashes was not seen through. */
function isProof({ property, cause }: Violation): boolean {
  return property !== "no invariant broken" || cause instanceof InvariantError;
}

function firstLine(text: string): string {
  return text.split("\n", 1).join();
}
