/** A server's log, term and vote as an observer reconstructs them from what was given to its disk. */

import { assert } from "../../src/base/assert.ts";
import type { Persist } from "../../src/raft/ready.ts";
import type { Entry, EntryId, HardState, LogIndex, Term } from "../../src/raft/types.ts";

export class LogImage {
  hardState: HardState = { currentTerm: 0, votedFor: null };
  /** The newest snapshot ends here; 0/0 without one. */
  snapshotLast: EntryId = { term: 0, index: 0 };
  #firstIndex: LogIndex = 1;
  #entries: Entry[] = [];

  get firstIndex(): LogIndex {
    return this.#firstIndex;
  }

  get lastIndex(): LogIndex {
    return this.#firstIndex + this.#entries.length - 1;
  }

  get last(): EntryId {
    const index = this.lastIndex;
    return { term: this.termAt(index) ?? 0, index };
  }

  entryAt(index: LogIndex): Entry | null {
    return this.#entries[index - this.#firstIndex] ?? null;
  }

  termAt(index: LogIndex): Term | null {
    if (index === this.snapshotLast.index) return this.snapshotLast.term;
    return this.entryAt(index)?.term ?? null;
  }

  /** In the log, or in what the snapshot stands for. */
  covers({ term, index }: EntryId): boolean {
    return index <= this.snapshotLast.index || this.termAt(index) === term;
  }

  apply({ hardState, snapshot, truncateFrom, entries }: Persist): void {
    if (hardState !== null) this.hardState = hardState;
    if (snapshot !== null) {
      this.snapshotLast = snapshot.last;
      this.#firstIndex = snapshot.last.index + 1;
      this.#entries = [];
    }
    if (truncateFrom !== null) this.#entries.length = truncateFrom - this.#firstIndex;
    for (const entry of entries) {
      assert(entry.index === this.lastIndex + 1, "the log has no gap", { index: entry.index });
      this.#entries.push(entry);
    }
  }

  /** A snapshot of the own state machine is stored. */
  snapshotTaken(last: EntryId): void {
    if (last.index > this.snapshotLast.index) this.snapshotLast = last;
  }

  compactThrough(index: LogIndex): void {
    if (index < this.#firstIndex) return;
    this.#entries.splice(0, index + 1 - this.#firstIndex);
    this.#firstIndex = index + 1;
  }

  copy(): LogImage {
    const copy = new LogImage();
    copy.hardState = this.hardState;
    copy.snapshotLast = this.snapshotLast;
    copy.#firstIndex = this.#firstIndex;
    copy.#entries = [...this.#entries];
    return copy;
  }
}
