/** The durable log of a server in the lab: plain arrays, written only by `write`. */

import type { LogReader, Persist, StoredState } from "../../../src/raft/ready.ts";
import type {
  Entry,
  EntryId,
  HardState,
  LogIndex,
  Origin,
  Snapshot,
} from "../../../src/raft/types.ts";

const nothing: EntryId = { term: 0, index: 0 };

export class MemoryLog implements LogReader, StoredState {
  hardState: HardState;
  origin: Origin = { baseHeight: 0, recovery: null };
  /** For as long as a test says so. */
  isReadingSnapshot = false;
  /** Given instead of the newest. */
  heldSnapshot: Snapshot | null = null;
  #entries: Entry[];
  #snapshot: Snapshot | null = null;

  constructor(hardState: HardState = { currentTerm: 0, votedFor: null }, entries: Entry[] = []) {
    this.hardState = hardState;
    this.#entries = entries;
  }

  get log(): LogReader {
    return this;
  }

  get snapshotLast(): EntryId {
    return this.#snapshot?.last ?? nothing;
  }

  get firstIndex(): LogIndex {
    return this.#entries[0]?.index ?? this.snapshotLast.index + 1;
  }

  get lastIndex(): LogIndex {
    return this.#entries.at(-1)?.index ?? this.snapshotLast.index;
  }

  termAt(index: LogIndex): number | null {
    return this.#entries.find((entry) => entry.index === index)?.term ?? null;
  }

  entries(from: LogIndex, to: LogIndex, maxBytes: number): readonly Entry[] {
    const found: Entry[] = [];
    let bytes = 0;
    for (const entry of this.#entries) {
      if (entry.index < from || entry.index > to) continue;
      bytes += 64 + (entry.data?.length ?? 0);
      if (found.length > 0 && bytes > maxBytes) break;
      found.push(entry);
    }
    return found;
  }

  configurationEntries(): readonly Entry[] {
    return this.#entries.filter((entry) => entry.kind === "configuration");
  }

  snapshot(): Snapshot | null {
    return this.heldSnapshot ?? this.#snapshot;
  }

  prepareSnapshot(): boolean {
    return !this.isReadingSnapshot;
  }

  /** All of a Persist, at once: what one transaction with one fsync does. */
  write({ hardState, origin, snapshot, truncateFrom, entries }: Persist): void {
    this.hardState = hardState ?? this.hardState;
    this.origin = origin ?? this.origin;
    if (snapshot !== null) {
      this.#snapshot = snapshot;
      this.#entries = [];
    }
    if (truncateFrom !== null) this.#entries = this.#entries.filter((e) => e.index < truncateFrom);
    this.#entries = [...this.#entries, ...entries];
  }

  /** A snapshot of the own state machine; the log stays. */
  keepSnapshot(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
  }

  compactThrough(through: LogIndex): void {
    this.#entries = this.#entries.filter(({ index }) => index > through);
  }
}
