/** Runs seeds until a mutant shows. Loaded by a thread that has broken the product by then, or nothing. */

import { InvariantError, unreachable } from "../../../src/base/assert.ts";
import { mutations } from "../mutations.ts";
import { type Parts, soundParts } from "../parts.ts";
import { unreduced } from "../reduction.ts";
import { seedsOf } from "../seeds.ts";
import { replay, showShrunk } from "../show.ts";
import { runReduced } from "../shrink.ts";
import type { Violation } from "../violation.ts";
import type { Ground, Hunt, Order, Reply } from "./hunt.ts";
import type { Mutant } from "./mutant.ts";

export async function carryOut(order: Order): Promise<Reply> {
  const { mutant } = order;
  switch (order.kind) {
    case "hunt":
      return { kind: "hunted", hunt: await huntHere(mutant, order) };
    case "replay":
      return { kind: "shown", isWell: await replay(order.reduction, partsOf(mutant)) };
    case "shrink": {
      const isWell = await showShrunk(order.full, () => partsOf(mutant), mutant.id);
      return { kind: "shown", isWell };
    }
    default:
      return unreachable(order);
  }
}

export async function huntHere(mutant: Mutant, { from, count }: Ground): Promise<Hunt> {
  const { wipesOnly, caughtAs } = mutant;
  const others = new Set<string>();
  let seeds = 0;
  for (const seed of seedsOf({ from, count, workers: 1, wipesOnly }, 0)) {
    seeds++;
    const { violation } = await runReduced(unreduced(seed, mutant), partsOf(mutant));
    if (violation === null) continue;
    const { property } = violation;
    const message = firstLine(violation.message);
    if (caughtAs.includes(property) && isProof(violation)) {
      return { seeds, caught: { seed, property, message }, others: [...others] };
    }
    others.add(message);
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
