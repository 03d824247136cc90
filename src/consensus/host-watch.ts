/**
 * Whether the main thread works, as the consensus thread sees it. One that hangs, in a computation or on a page of a
 * disk that does not answer, builds no block, and what it said last of its readiness holds no more (P5): this thread
 * would lead on, and nobody else could be elected. Busy is not dead (P13), so the limit is far above any lease.
 */

import { Pulse } from "./pulse.ts";

const lookEveryMs = 500;
const silentMaxMs = 5_000;

export class HostWatch {
  readonly #changed: (silentMs: number | null) => void;
  readonly #pulse = new Pulse(lookEveryMs);
  #isSilent = false;

  /** `changed` is told for how long nothing was heard, once that is too long, and null when it is heard again. */
  constructor(changed: (silentMs: number | null) => void) {
    this.#changed = changed;
  }

  get isSilent(): boolean {
    return this.#isSilent;
  }

  start(): void {
    this.#pulse.start();
  }

  stop(): void {
    this.#pulse.stop();
  }

  /** The main thread has said something, as it does several times a second. */
  heard(): void {
    this.#pulse.beat();
    if (!this.#isSilent) return;
    this.#isSilent = false;
    this.#changed(null);
  }

  /** To be called several times a second. */
  look(): void {
    const { silentMs } = this.#pulse;
    if (this.#isSilent || silentMs < silentMaxMs) return;
    this.#isSilent = true;
    this.#changed(silentMs);
  }
}
