/** What a backfill knows of one peer, and when it may be asked. */

import type { Height } from "../block/types.ts";
import type { Served } from "./protocol.ts";

/** Requests under way to one peer. A second one travels while the first is answered; more would only queue there. */
export const requestsInFlightMax = 2;

/** After a failure; doubled by each further one. */
const restMinMs = 250;
const restMaxMs = 15_000;

/** How much the last outcome counts against all before it. */
const lastOutcomeWeight = 0.25;

export type Outcome =
  | { readonly kind: "good" }
  /** Something came, but too little for no good reason. */
  | { readonly kind: "poor" }
  | { readonly kind: "failed"; readonly reason: string }
  /** Nobody knows how it would have ended. */
  | { readonly kind: "abandoned" };

export class PeerScore {
  readonly peerId: string;
  /** What it says it serves; null if it does not say, or has not yet. */
  served: Served["blocks"] = null;
  /** False until it said what it serves, or that it does not say. */
  wasHeard = false;
  /** True once it said that it has no blocks at all. */
  isEmpty = false;
  inFlight = 0;
  #score = 0.5;
  #failures = 0;
  #failure = "";
  #restsUntilMs = 0;

  constructor(peerId: string) {
    this.peerId = peerId;
  }

  /** 0 to 1: how its last requests went. */
  get score(): number {
    return this.#score;
  }

  /** How many requests failed since the last good one. */
  get failures(): number {
    return this.#failures;
  }

  /** Why the last one failed. */
  get failure(): string {
    return this.#failure;
  }

  isResting(nowMs: number): boolean {
    return nowMs < this.#restsUntilMs;
  }

  /** False if it said that it does not have this block. */
  mayHave(height: Height): boolean {
    if (this.isEmpty) return false;
    if (this.served === null) return true;
    return height >= this.served.earliestHeight && height <= this.served.headHeight;
  }

  note(outcome: Outcome, nowMs: number): void {
    if (outcome.kind === "abandoned") return;
    this.#score += (worth[outcome.kind] - this.#score) * lastOutcomeWeight;
    if (outcome.kind !== "failed") {
      this.#failures = 0;
      return;
    }
    this.#failure = outcome.reason;
    this.#restsUntilMs = nowMs + Math.min(restMinMs * 2 ** this.#failures, restMaxMs);
    this.#failures++;
  }
}

const worth = { good: 1, poor: 0.5, failed: 0 } as const;
