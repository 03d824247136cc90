/**
 * Timers and clocks of a thread, as the process has them whose code runs: what reads `performance.now`,
 * `Date.now` or sets a timer gets simulated time, and is not told so. For a thread that does nothing else.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { syncBuiltinESMExports } from "node:module";
import timersPromises from "node:timers/promises";
import { assert } from "../../../src/base/assert.ts";

/** One process's own. */
export interface ProcessTime {
  monotonicMs(): number;
  unixMs(): number;
  /** Dropped if the process ends before. */
  after(delayMs: number, callback: () => void): void;
}

interface Timer {
  isOver: boolean;
}

const realSetImmediate = globalThis.setImmediate;

export class VirtualTime {
  /** Goes with what a process awaits: in one moment several may go on, each by its own clock. */
  readonly #processes = new AsyncLocalStorage<ProcessTime>();

  /** Runs code of one process, and all that it sets going. */
  within<T>(process: ProcessTime, run: () => T): T {
    return this.#processes.run(process, run);
  }

  /** Until the returned function is called. */
  install(): () => void {
    const real = {
      setTimeout: globalThis.setTimeout,
      clearTimeout: globalThis.clearTimeout,
      dateNow: Date.now,
      setImmediate: timersPromises.setImmediate,
      hrtimeBigint: process.hrtime.bigint,
      abortAfter: AbortSignal.timeout,
    };
    const setTimeout = (callback: () => void, delayMs = 0): Timer =>
      this.#setTimeout(callback, delayMs);
    const clearTimeout = (timer: Timer | undefined): void => {
      if (timer !== undefined) timer.isOver = true;
    };
    Object.assign(globalThis, { setTimeout, clearTimeout });
    // What lets others go first comes after them: as an event of its own.
    const setImmediate = () => new Promise<void>((resolve) => this.#time().after(0, resolve));
    Object.assign(timersPromises, { setImmediate });
    syncBuiltinESMExports();
    const bigint = () => BigInt(Math.floor(this.#time().monotonicMs() * 1e6));
    Object.assign(process.hrtime, { bigint });
    AbortSignal.timeout = (delayMs) => this.#abortAfter(delayMs);
    Date.now = () => this.#time().unixMs();
    performance.now = () => this.#time().monotonicMs();
    return () => {
      const { setTimeout, clearTimeout, setImmediate, dateNow, hrtimeBigint, abortAfter } = real;
      Object.assign(process.hrtime, { bigint: hrtimeBigint });
      AbortSignal.timeout = abortAfter;
      Object.assign(globalThis, { setTimeout, clearTimeout });
      Object.assign(timersPromises, { setImmediate });
      syncBuiltinESMExports();
      Date.now = dateNow;
      Reflect.deleteProperty(performance, "now");
    };
  }

  #setTimeout(callback: () => void, delayMs: number): Timer {
    const timer: Timer = { isOver: false };
    this.#time().after(delayMs, () => {
      if (!timer.isOver) callback();
    });
    return timer;
  }

  #abortAfter(delayMs: number): AbortSignal {
    assert(Number.isInteger(delayMs), "a signal's timer takes whole milliseconds", { delayMs });
    const controller = new AbortController();
    this.#time().after(delayMs, () => controller.abort());
    return controller.signal;
  }

  #time(): ProcessTime {
    const time = this.#processes.getStore();
    if (time === undefined) throw new Error("time is read by a simulated process");
    return time;
  }
}

/**
 * Resolves when all promises have been taken up that an event has fulfilled, and those that these have: none of the
 * simulation waits for anything real.
 */
export function momentOver(): Promise<void> {
  return new Promise((resolve) => realSetImmediate(resolve));
}
