/**
 * Whether the main thread works, as the consensus thread sees it. One that hangs, in a computation or on a page of a
 * disk that does not answer, builds no block, and what it said last of its readiness holds no more (P5): this thread
 * would lead on, and nobody else could be elected.
 *
 * Busy is not dead (P13). The limits are far above what blocks take; and one that takes longer all the same keeps all
 * members busy alike, so that none is ready to take over.
 */

import { Pulse } from "./pulse.ts";

/** Longer than what the main thread says is apart. */
const lookEveryMs = 500;
/**
 * Members that hang together, over one block or on one disk, are found so in turn: were the leader the first, it
 * would hand over to one that hangs as well.
 */
const standbyLimitMs = 10_000;
const leadingLimitMs = 15_000;
/** What it says first is what it knew before; by then it has found out how far it is behind. */
const wellAfterMs = 3_000;
/** Silent for so long meanwhile, it begins anew; busy it may be (P13). */
const relapseMs = 2_000;

export interface HostWatchDependencies {
  isLeading(): boolean;
  hangs(silentMs: number): void;
  /** It has worked again for a while. */
  goesOn(hungMs: number): void;
}

export class HostWatch {
  readonly #dependencies: HostWatchDependencies;
  readonly #pulse = new Pulse(lookEveryMs, () => this.#look());
  /** Looks since it spoke again. */
  #wellLooks = 0;
  /** How long it has been silent at a stretch; null while it works. */
  #hungMs: number | null = null;

  constructor(dependencies: HostWatchDependencies) {
    this.#dependencies = dependencies;
  }

  get isHung(): boolean {
    return this.#hungMs !== null;
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
  }

  #look(): void {
    const { silentMs } = this.#pulse;
    this.#wellLooks = silentMs < relapseMs ? this.#wellLooks + 1 : 0;
    if (this.#hungMs === null) {
      if (silentMs < standbyLimitMs) return;
      if (silentMs < leadingLimitMs && this.#dependencies.isLeading()) return;
      this.#hungMs = silentMs;
      this.#dependencies.hangs(silentMs);
      return;
    }
    const hungMs = Math.max(this.#hungMs, silentMs);
    this.#hungMs = hungMs;
    if (this.#wellLooks * lookEveryMs < wellAfterMs) return;
    this.#hungMs = null;
    this.#dependencies.goesOn(hungMs);
  }
}
