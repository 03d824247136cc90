/**
 * One direction of one connection. In order, as TCP: what cannot pass waits, and all behind it. Or each
 * on its own, as rough as no TCP is.
 */

import type { Dice } from "./dice.ts";
import type { Disturbance } from "./disturbance.ts";
import type { NetworkConditions } from "./plan.ts";
import type { Schedule } from "./schedule.ts";

/** What always passes: an RPC with no more than the first entry of a term. A command makes it larger. */
const packetBytes = 280;

interface Passage {
  readonly sizeBytes: number;
  readonly readyMs: number;
  readonly isLost: boolean;
  readonly arrive: () => void;
  readonly lose: () => void;
}

export interface LaneOptions {
  readonly isOrdered: boolean;
  /** Whether nothing of that size passes just now. */
  readonly holds: (isLarge: boolean) => boolean;
  readonly conditions: () => NetworkConditions;
  readonly disturbed: (what: Disturbance) => void;
}

export class Lane {
  readonly #options: LaneOptions;
  readonly #schedule: Schedule;
  readonly #dice: Dice;
  #waiting: Passage[] = [];
  #lastReadyMs = 0;
  #isRetrying = false;

  constructor(options: LaneOptions, schedule: Schedule, dice: Dice) {
    this.#options = options;
    this.#schedule = schedule;
    this.#dice = dice;
  }

  /** `arrive` or `lose` is called later, unless the lane is closed before. */
  push(sizeBytes: number, arrive: () => void, lose: () => void): void {
    const conditions = this.#options.conditions();
    const travelMs = this.#travelMs(conditions) + sizeBytes / conditions.bytesPerMs;
    const isLost = conditions.lossRate > 0 && this.#dice.chance(conditions.lossRate);
    if (!this.#options.isOrdered) {
      const readyMs = this.#schedule.nowMs + travelMs;
      const passage = { sizeBytes, readyMs, isLost, arrive, lose };
      this.#schedule.at(readyMs, () => (this.#holds(passage) ? lose() : this.#end(passage)));
      return;
    }
    const readyMs = Math.max(this.#lastReadyMs, this.#schedule.nowMs + travelMs);
    this.#lastReadyMs = readyMs;
    this.#waiting.push({ sizeBytes, readyMs, isLost, arrive, lose });
    this.#schedule.at(readyMs, () => this.#pass());
  }

  /** Nothing that waits arrives any more. Returns how it would have. */
  close(): (() => void)[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting.filter(({ isLost }) => !isLost).map(({ arrive }) => arrive);
  }

  #pass(): void {
    for (;;) {
      const head = this.#waiting[0];
      if (head === undefined || head.readyMs > this.#schedule.nowMs) return;
      if (this.#holds(head)) return this.#retryLater();
      this.#waiting.shift();
      this.#end(head);
    }
  }

  #holds({ sizeBytes }: Passage): boolean {
    return this.#options.holds(sizeBytes > packetBytes);
  }

  #end({ isLost, arrive, lose }: Passage): void {
    if (!isLost) return arrive();
    this.#options.disturbed("message lost");
    lose();
  }

  /** TCP sends again what was not acknowledged. */
  #retryLater(): void {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    this.#schedule.after(this.#dice.between(5, 50), () => {
      this.#isRetrying = false;
      this.#pass();
    });
  }

  #travelMs({ latencyMs, delayRate, delayMs }: NetworkConditions): number {
    const isDelayed = delayRate > 0 && this.#dice.chance(delayRate);
    if (isDelayed) this.#options.disturbed("message delayed");
    const { low, high } = isDelayed ? delayMs : latencyMs;
    return this.#dice.between(low, high);
  }
}
