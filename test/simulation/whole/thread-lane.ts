/**
 * One way between the two threads of a process: in order, and late while the thread at its end is busy with something
 * long. The other thread goes on meanwhile, and so do timers.
 */

import type { Clock } from "../../../src/consensus/driver.ts";

export class ThreadLane {
  readonly #clock: Clock;
  readonly #stallMs: () => number;
  readonly #waiting: (() => void)[] = [];
  #busyUntilMs = Number.NEGATIVE_INFINITY;

  /** `stallMs`: for how long the thread is busy when a message comes; 0 if it is not. */
  constructor(clock: Clock, stallMs: () => number) {
    this.#clock = clock;
    this.#stallMs = stallMs;
  }

  post(take: () => void): void {
    const nowMs = this.#clock.now();
    this.#waiting.push(take);
    this.#busyUntilMs = Math.max(this.#busyUntilMs, nowMs + this.#stallMs());
    // Whichever of these comes first takes the oldest message: two of nearly one time cannot change places.
    const takeNext = () => this.#waiting.shift()?.();
    if (this.#busyUntilMs > nowMs) this.#clock.at(this.#busyUntilMs, takeNext);
    else this.#clock.soon(takeNext);
  }
}
