/** The monotonic clock of one process: it began somewhere, and runs a little fast or slow. */

import type { Clock } from "../../src/consensus/driver.ts";
import type { Schedule } from "./schedule.ts";

/** Rounding must not bring a timer before its time: it would be set again for the same moment, for ever. */
const latenessMs = 0.001;

export interface NodeClockOptions {
  /** What the clock shows at simulated time 0. */
  readonly offsetMs: number;
  /** Its milliseconds in one simulated millisecond. */
  readonly rate: number;
}

export class NodeClock implements Clock {
  readonly #options: NodeClockOptions;
  readonly #schedule: Schedule;
  readonly #run: (callback: () => void) => void;

  /** `run` lets the process take in an event, now or when it wakes up. */
  constructor(options: NodeClockOptions, schedule: Schedule, run: (callback: () => void) => void) {
    this.#options = options;
    this.#schedule = schedule;
    this.#run = run;
  }

  now(): number {
    return this.#options.offsetMs + this.#schedule.nowMs * this.#options.rate;
  }

  at(atMs: number, callback: () => void): void {
    const dueMs = (atMs - this.#options.offsetMs) / this.#options.rate + latenessMs;
    this.#schedule.at(dueMs, () => this.#run(callback));
  }

  soon(callback: () => void): void {
    this.#schedule.after(0, () => this.#run(callback));
  }
}
