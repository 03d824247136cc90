/** A rate with a burst: tokens drip in at `perSecond` up to `burst`, and each request takes one. */

import type { TxRate } from "./options.ts";

export class TokenBucket {
  readonly #rate: TxRate;
  readonly #nowMs: () => number;
  #tokens: number;
  #filledAtMs: number;

  /** `nowMs` must never go back. */
  constructor(rate: TxRate, nowMs: () => number) {
    this.#rate = rate;
    this.#nowMs = nowMs;
    this.#tokens = rate.burst;
    this.#filledAtMs = nowMs();
  }

  /** Takes a token: 0 if there was one, else the milliseconds until there is. */
  take(): number {
    const nowMs = this.#nowMs();
    const dripped = ((nowMs - this.#filledAtMs) / 1000) * this.#rate.perSecond;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + dripped);
    this.#filledAtMs = nowMs;
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - this.#tokens) / this.#rate.perSecond) * 1000);
  }
}
