/** Simulated time: what is to happen, in order. Equal times keep the order in which they were given. */

import { assert } from "../../src/base/assert.ts";
import { Violation } from "./violation.ts";

interface Scheduled {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** More events than this do not happen at one moment, unless one causes the next for ever. */
const eventsPerMomentMax = 200_000;

export class Schedule {
  #nowMs = 0;
  #stepsAtMoment = 0;
  #order = 0;
  #steps = 0;
  /** A binary heap: no event comes before its parent. */
  readonly #heap: Scheduled[] = [];

  /** The time that passes for everyone; no node can read it. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** How many events have happened. */
  get steps(): number {
    return this.#steps;
  }

  at(atMs: number, run: () => void): void {
    assert(!Number.isNaN(atMs), "an event has a time");
    const event = { atMs: Math.max(atMs, this.#nowMs), order: this.#order++, run };
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt];
      if (parent === undefined || isBefore(parent, event)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = event;
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.#nowMs + delayMs, run);
  }

  /** Lets the next event happen; false if there is none up to `untilMs`, which it then is. */
  step(untilMs: number): boolean {
    const next = this.#heap[0];
    if (next === undefined || next.atMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, untilMs);
      return false;
    }
    this.#removeFirst();
    this.#stepsAtMoment = next.atMs > this.#nowMs ? 1 : this.#stepsAtMoment + 1;
    if (this.#stepsAtMoment > eventsPerMomentMax) {
      throw new Violation("progress", `time goes on after ${eventsPerMomentMax} events`);
    }
    this.#nowMs = next.atMs;
    this.#steps++;
    next.run();
    return true;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const isRight = right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (isBefore(last, child)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs;
}
