/** How much this node may serve just now: a token bucket whose rate may change at any time. */

import { assert } from "../base/assert.ts";

/** What the bucket holds at most, in seconds of its rate. */
const burstSeconds = 1;

export class ServeBudget {
  readonly #bytesPerSecond: () => number;
  readonly #nowMs: () => number;
  /** May be negative: an item is served whole, and waited for after that. */
  #availableBytes: number;
  #atMs: number;

  /** `bytesPerSecond` is asked again and again; Infinity for no limit. */
  constructor(bytesPerSecond: () => number, nowMs: () => number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#nowMs = nowMs;
    this.#atMs = nowMs();
    this.#availableBytes = bytesPerSecond() * burstSeconds;
  }

  spend(bytes: number): void {
    this.#refill();
    this.#availableBytes -= bytes;
  }

  /** Until something may be served again; 0 for now, Infinity if nothing may. */
  waitMs(): number {
    const rate = this.#refill();
    if (this.#availableBytes > 0) return 0;
    return rate === 0 ? Number.POSITIVE_INFINITY : ((1 - this.#availableBytes) / rate) * 1000;
  }

  #refill(): number {
    const rate = this.#bytesPerSecond();
    assert(rate >= 0, "the rate of serving is a number of bytes", { rate });
    const nowMs = this.#nowMs();
    if (rate === Number.POSITIVE_INFINITY) {
      // With no limit there are no debts either; when one comes, the bucket begins full.
      this.#availableBytes = Number.POSITIVE_INFINITY;
    } else {
      const full = rate * burstSeconds;
      const earned = (rate * Math.max(0, nowMs - this.#atMs)) / 1000;
      this.#availableBytes = Math.min(full, this.#availableBytes + earned);
    }
    this.#atMs = nowMs;
    return rate;
  }
}
