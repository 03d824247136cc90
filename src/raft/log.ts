/**
 * The log as the core sees it: a tail in memory, with all that is not yet durable, over what the
 * disk holds.
 *
 *   index    1 ........ firstIndex ...... tailFirst ......... durableIndex ... lastIndex
 *            snapshot   read from disk    memory and disk                 memory only
 */

import { assert } from "../base/assert.ts";
import { logCacheMaxBytes, undurableMaxBytes } from "../base/limits.ts";
import { isConfigurationEntry } from "./membership.ts";
import type { LogReader, PersistSequence } from "./ready.ts";
import type { Entry, EntryId, LogIndex, Snapshot, Term } from "./types.ts";

interface PendingWrite {
  readonly sequence: PersistSequence;
  readonly lastIndex: LogIndex;
}

export class RaftLog {
  readonly #reader: LogReader;
  /** Entries from `#tailFirst` to `lastIndex`; the disk may hold others there, which count no more. */
  #tail: Entry[] = [];
  #tailFirst: LogIndex;
  #tailBytes = 0;
  #durableIndex: LogIndex;
  #pending: PendingWrite[] = [];
  /** A snapshot that the disk does not have yet. */
  #installing: { readonly snapshot: Snapshot; readonly sequence: PersistSequence } | null = null;

  constructor(reader: LogReader) {
    this.#reader = reader;
    this.#tailFirst = reader.lastIndex + 1;
    this.#durableIndex = reader.lastIndex;
  }

  /** The entry that the newest snapshot ends with; 0/0 without one. */
  get snapshotLast(): EntryId {
    return this.#installing?.snapshot.last ?? this.#reader.snapshotLast;
  }

  get firstIndex(): LogIndex {
    if (this.#installing !== null) return this.#installing.snapshot.last.index + 1;
    return Math.min(this.#reader.firstIndex, this.#tailFirst);
  }

  get lastIndex(): LogIndex {
    return this.#tailFirst + this.#tail.length - 1;
  }

  get last(): EntryId {
    const index = this.lastIndex;
    const term = this.termAt(index);
    assert(term !== null, "the last entry has a term", { index });
    return { term, index };
  }

  /** The last index that survives a crash of this server. */
  get durableIndex(): LogIndex {
    return this.#durableIndex;
  }

  /** More waits for the disk than memory should hold. */
  get isOverfull(): boolean {
    // Of what is durable, no more than the cache holds is left in the tail.
    return this.#tailBytes > undurableMaxBytes + logCacheMaxBytes;
  }

  /** null for an entry that was compacted away, or is not there yet. */
  termAt(index: LogIndex): Term | null {
    if (index >= this.#tailFirst) return this.#tail[index - this.#tailFirst]?.term ?? null;
    if (index === 0) return 0;
    if (index === this.snapshotLast.index) return this.snapshotLast.term;
    return index < this.firstIndex ? null : this.#reader.termAt(index);
  }

  matches({ index, term }: EntryId): boolean {
    return this.termAt(index) === term;
  }

  /** The first index of the run of entries that have the term of the one at `index`. */
  firstIndexOfTerm(index: LogIndex, floor: LogIndex): LogIndex {
    const term = this.termAt(index);
    let first = index;
    while (first - 1 > floor && this.termAt(first - 1) === term) first--;
    return first;
  }

  /** Entries from `from` to `to` inclusive, cut after `maxCount` or once `maxBytes` are reached; at least one. */
  entries(from: LogIndex, to: LogIndex, maxBytes: number, maxCount = Infinity): readonly Entry[] {
    const last = Math.min(to, from + maxCount - 1);
    assert(from >= this.firstIndex && last <= this.lastIndex, "the entries are held", { from, to });
    if (from > last) return [];
    if (from < this.#tailFirst) {
      return this.#reader.entries(from, Math.min(last, this.#tailFirst - 1), maxBytes);
    }
    const entries: Entry[] = [];
    let bytes = 0;
    for (let at = from - this.#tailFirst; at <= last - this.#tailFirst; at++) {
      const entry = this.#tail[at];
      if (entry === undefined) break;
      bytes += payloadBytes(entry);
      if (entries.length > 0 && bytes > maxBytes) break;
      entries.push(entry);
    }
    return entries;
  }

  /** The held entries that change the configuration, oldest first. */
  configurationEntries(): readonly Entry[] {
    const stored = this.#installing === null ? this.#reader.configurationEntries() : [];
    return [
      ...stored.filter(({ index }) => index < this.#tailFirst),
      ...this.#tail.filter(isConfigurationEntry),
    ];
  }

  snapshot(): Snapshot | null {
    return this.#installing?.snapshot ?? this.#reader.snapshot();
  }

  prepareSnapshot(): boolean {
    return this.#installing !== null || this.#reader.prepareSnapshot();
  }

  append(entries: readonly Entry[], sequence: PersistSequence): void {
    if (entries.length === 0) return;
    for (const entry of entries) {
      assert(entry.index === this.lastIndex + 1, "the log has no gap", { index: entry.index });
      this.#tail.push(entry);
      this.#tailBytes += payloadBytes(entry);
    }
    this.#pending.push({ sequence, lastIndex: this.lastIndex });
  }

  /** Drops the entry at `index` and all after it. */
  truncateFrom(index: LogIndex): void {
    if (index < this.#tailFirst) {
      this.#tail = [];
      this.#tailFirst = index;
    } else {
      this.#tail.length = index - this.#tailFirst;
    }
    this.#tailBytes = this.#tail.reduce((bytes, entry) => bytes + payloadBytes(entry), 0);
    this.#durableIndex = Math.min(this.#durableIndex, index - 1);
    this.#pending = this.#pending.map(({ sequence, lastIndex }) => ({
      sequence,
      lastIndex: Math.min(lastIndex, index - 1),
    }));
  }

  /** Replaces everything by a snapshot. */
  install(snapshot: Snapshot, sequence: PersistSequence): void {
    this.#installing = { snapshot, sequence };
    this.#tail = [];
    this.#tailBytes = 0;
    this.#tailFirst = snapshot.last.index + 1;
    this.#durableIndex = 0;
    this.#pending = [{ sequence, lastIndex: snapshot.last.index }];
  }

  persisted(through: PersistSequence): void {
    while (this.#pending[0] !== undefined && this.#pending[0].sequence <= through) {
      this.#durableIndex = Math.max(this.#durableIndex, this.#pending[0].lastIndex);
      this.#pending.shift();
    }
    if (this.#installing !== null && this.#installing.sequence <= through) this.#installing = null;
    this.#trim();
  }

  /**
   * Memory is bounded by the cache, except for what is not durable and so exists nowhere else. What
   * was compacted away on disk goes here too, so that the log is one and the same wherever it is read.
   */
  #trim(): void {
    const boundBytes = this.#tailBytes > logCacheMaxBytes ? logCacheMaxBytes / 2 : logCacheMaxBytes;
    const firstKept = this.#installing === null ? this.#reader.firstIndex : 0;
    let dropped = 0;
    for (const entry of this.#tail) {
      if (entry.index > this.#durableIndex) break;
      if (entry.index >= firstKept && this.#tailBytes <= boundBytes) break;
      this.#tailBytes -= payloadBytes(entry);
      dropped++;
    }
    this.#tail.splice(0, dropped);
    this.#tailFirst += dropped;
  }
}

/** An entry's size for limits; its fixed part counts, so that empty entries do too. */
export function payloadBytes(entry: Entry): number {
  return 64 + (entry.data?.length ?? 0) + (entry.extensions?.length ?? 0);
}
