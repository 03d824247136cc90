/** Hunting mutants: how many seeds it takes the simulator to notice each, and what it notices. */

import { Worker } from "node:worker_threads";
import type { Reduction } from "../reduction.ts";
import type { Property } from "../violation.ts";
import type { Mutant } from "./mutant.ts";

export interface Catch {
  readonly seed: number;
  readonly property: Property;
  readonly message: string;
}

export interface Hunt {
  /** How many were run. */
  readonly seeds: number;
  /** null if it did not show as what it is. */
  readonly caught: Catch | null;
  /** What was violated meanwhile that is no proof. */
  readonly others: readonly string[];
}

/** The seeds that are tried. */
export interface Ground {
  readonly from: number;
  readonly count: number;
}

export type Order =
  | (Ground & { readonly kind: "hunt"; readonly mutant: Mutant })
  | { readonly kind: "replay"; readonly mutant: Mutant; readonly reduction: Reduction }
  | { readonly kind: "shrink"; readonly mutant: Mutant; readonly full: Reduction };

export type Reply =
  | { readonly kind: "hunted"; readonly hunt: Hunt }
  | { readonly kind: "shown"; readonly isWell: boolean };

export async function hunt(mutant: Mutant, ground: Ground): Promise<Hunt> {
  const reply = await inThread({ kind: "hunt", mutant, ...ground });
  if (reply.kind !== "hunted") throw new TypeError("a hunt was ordered");
  return reply.hunt;
}

/** Prints one seed with the mutant. Returns whether it kept its promises. */
export async function show(order: Exclude<Order, { kind: "hunt" }>): Promise<boolean> {
  const reply = await inThread(order);
  if (reply.kind !== "shown") throw new TypeError("a seed was to be shown");
  return reply.isWell;
}

/** In a thread of its own, which nobody else's modules are in. */
function inThread(order: Order): Promise<Reply> {
  const { id, breaks, edits, caughtAs, seedsMax, wipesOnly, isWhole } = order.mutant;
  const plain: Mutant = { id, breaks, edits, caughtAs, seedsMax, wipesOnly, isWhole };
  const workerData: Order = { ...order, mutant: plain };
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("worker.ts", import.meta.url), { workerData });
    let reply: Reply | null = null;
    worker.once("message", (message: Reply) => {
      reply = message;
    });
    worker.once("error", reject);
    worker.once("exit", (code) => {
      if (reply === null) reject(new Error(`the thread of ${id} ended with ${code}`));
      else resolve(reply);
    });
  });
}
