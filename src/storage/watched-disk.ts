/** A disk watch with a clock: it looks when it is time to, and tells when the disk becomes slow, or well again. */

import { DiskWatch, type DiskWatchOptions, type SlowDisk } from "./disk-watch.ts";

/** Hears of each write; they end in order. One that fails does not end. */
export interface DiskObserver {
  began(): void;
  ended(): void;
}

export interface WatchedDiskDependencies {
  now(): number;
  /** Calls back once at or after `atMs`. */
  at(atMs: number, callback: () => void): void;
  isLeading(): boolean;
  /** It has become too slow to lead with, or is well again (null). */
  changed(slow: SlowDisk | null): void;
}

export class WatchedDisk implements DiskObserver {
  readonly #watch: DiskWatch;
  readonly #dependencies: WatchedDiskDependencies;
  #slow: SlowDisk | null = null;
  #isArmed = false;

  constructor(options: DiskWatchOptions, dependencies: WatchedDiskDependencies) {
    this.#watch = new DiskWatch(options);
    this.#dependencies = dependencies;
  }

  /** How slow it is at this moment, if it is too slow to lead with. */
  get slow(): SlowDisk | null {
    return this.#slow;
  }

  began(): void {
    this.#watch.began(this.#dependencies.now());
    this.#arm();
  }

  ended(): void {
    this.#watch.ended(this.#dependencies.now());
    this.#look();
  }

  #look(): void {
    const { now, isLeading, changed } = this.#dependencies;
    const wasSlow = this.#slow !== null;
    this.#slow = this.#watch.look(now(), isLeading());
    this.#arm();
    if (wasSlow !== (this.#slow !== null)) changed(this.#slow);
  }

  #arm(): void {
    const { lookAgainMs } = this.#watch;
    if (this.#isArmed || lookAgainMs === Number.POSITIVE_INFINITY) return;
    this.#isArmed = true;
    this.#dependencies.at(lookAgainMs, () => {
      this.#isArmed = false;
      this.#look();
    });
  }
}
