/**
 * Tells the consensus thread what was applied, and not each time: every word wakes it up. It counts what
 * it has handed over against a window (P8), so it needs to hear only while the window may fill; and it
 * counts entries up to the next snapshot.
 */

import { applyWindowMaxBytes } from "../base/limits.ts";

/** Held back at most: the window stays open for all the rest. */
const heldBackMaxBytes = applyWindowMaxBytes / 8;

export class ApplyCredit {
  readonly #unapplied: { readonly lastIndex: number; readonly bytes: number }[] = [];
  #heldBackBytes = 0;
  #toldIndex = 0;
  readonly #heldBackMaxEntries: number;

  constructor(snapshotThreshold: number) {
    this.#heldBackMaxEntries = Math.ceil(snapshotThreshold / 8);
  }

  delivered(lastIndex: number, bytes: number): void {
    this.#unapplied.push({ lastIndex, bytes });
  }

  /** Everything up to `index` is applied: whether the consensus thread should be told now. */
  applied(index: number): boolean {
    for (let first = this.#unapplied[0]; first !== undefined; first = this.#unapplied[0]) {
      if (first.lastIndex > index) break;
      this.#heldBackBytes += first.bytes;
      this.#unapplied.shift();
    }
    const heldBackEntries = index - this.#toldIndex;
    if (this.#heldBackBytes < heldBackMaxBytes && heldBackEntries < this.#heldBackMaxEntries) {
      return false;
    }
    this.#heldBackBytes = 0;
    this.#toldIndex = index;
    return true;
  }
}
