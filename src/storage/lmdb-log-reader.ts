/** Reads the durable log from the memory map. What `view()` returns decides what exists. */

import { assert } from "../base/assert.ts";
import type { LogReader } from "../raft/ready.ts";
import type { Entry, EntryId, LogIndex, Snapshot, Term } from "../raft/types.ts";
import { payloadBytes } from "./log-codec.ts";
import { outlineHolds, outlineTermAt } from "./log-outline.ts";
import type { RaftState } from "./raft-state.ts";
import { readEntry } from "./raft-tables.ts";
import type { SnapshotFiles } from "./snapshot-files.ts";
import type { Table } from "./table.ts";

export class LmdbLogReader implements LogReader {
  readonly #view: () => RaftState;
  readonly #log: Table;
  readonly #snapshots: SnapshotFiles;

  constructor(view: () => RaftState, log: Table, snapshots: SnapshotFiles) {
    this.#view = view;
    this.#log = log;
    this.#snapshots = snapshots;
  }

  get snapshotLast(): EntryId {
    return this.#view().snapshotLast;
  }

  get firstIndex(): LogIndex {
    return this.#view().outline.firstIndex;
  }

  get lastIndex(): LogIndex {
    return this.#view().outline.lastIndex;
  }

  termAt(index: LogIndex): Term | null {
    return outlineTermAt(this.#view().outline, index);
  }

  entries(from: LogIndex, to: LogIndex, maxBytes: number): readonly Entry[] {
    const { outline } = this.#view();
    assert(from <= to, "a range of entries is not empty", { from, to });
    assert(outlineHolds(outline, from), "entries are read from within the log", { from, outline });
    const entries: Entry[] = [];
    let sizeBytes = 0;
    for (let index = from; index <= Math.min(to, outline.lastIndex); index++) {
      const entry = readEntry(this.#log, outline, index);
      sizeBytes += payloadBytes(entry);
      if (entries.length > 0 && sizeBytes > maxBytes) break;
      entries.push(entry);
    }
    return entries;
  }

  configurationEntries(): readonly Entry[] {
    const { outline } = this.#view();
    return outline.configurations.map((index) => readEntry(this.#log, outline, index));
  }

  /** An older one serves as long as the log continues it. Throws STORAGE_CORRUPT if none does. */
  snapshot(): Snapshot | null {
    const { outline, snapshotLast } = this.#view();
    if (snapshotLast.index === 0) return null;
    return this.#snapshots.between(outline.firstIndex - 1, snapshotLast);
  }

  prepareSnapshot(): boolean {
    const { outline, snapshotLast } = this.#view();
    if (snapshotLast.index === 0) return true;
    return this.#snapshots.prepare(outline.firstIndex - 1, snapshotLast);
  }
}
