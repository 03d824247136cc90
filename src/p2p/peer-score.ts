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

export type Outcome = "good" | "poor" | "failed" | "abandoned";

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
  #restsUntilMs = 0;

  constructor(peerId: string) {
    this.peerId = peerId;
  }

  /** 0 to 1: how its last requests went. */
  get score(): number {
    return this.#score;
  }

  get failures(): number {
    return this.#failures;
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
    if (outcome === "abandoned") return;
    const value = outcome === "good" ? 1 : outcome === "poor" ? 0.5 : 0;
    this.#score += (value - this.#score) * lastOutcomeWeight;
    if (outcome !== "failed") {
      this.#failures = 0;
      return;
    }
    this.#restsUntilMs = nowMs + Math.min(restMinMs * 2 ** this.#failures, restMaxMs);
    this.#failures++;
  }
}
