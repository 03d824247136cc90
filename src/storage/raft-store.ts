/** What a server keeps through a crash, as its driver uses it. Implemented on LMDB, and in memory for simulation. */

import type { LogReader, Persist, StoredState } from "../raft/ready.ts";
import type { HardState, LogIndex, Origin, Snapshot } from "../raft/types.ts";
import type { Shortage } from "./disk.ts";
import type { StorageError } from "./errors.ts";

export interface RaftStore extends StoredState {
  readonly hardState: HardState;
  readonly origin: Origin;
  /**
   * What is durable. Entries that a Persist under way takes out are not answered any more, and those
   * that it brings not yet.
   */
  readonly log: LogReader;
  /** Random at creation. Two stores with the same one are copies: one of them must not run. */
  readonly incarnation: Uint8Array;
  /** No term, no vote, no entry, no snapshot: this server has promised nothing yet. */
  readonly isEmpty: boolean;

  /**
   * Makes `persist` durable as a whole, and then calls `done(null)`; the reads above show it from that
   * moment. Calls come back in order. Those given while one is being written share the next
   * transaction and its fsync.
   *
   * `done(error)` means that what is on disk is no longer known. It is final: every later call fails too,
   * and the process should stop.
   */
  persist(persist: Persist, done: (error: StorageError | null) => void): void;

  /** What a snapshot of this size would need, and does not find, on the disk; null if there is room for it. */
  shortageFor(snapshotBytes: number): Shortage | null;

  /**
   * Stores a snapshot of the own state machine; the log stays, and may be compacted up to it. `done` as for
   * `persist`, but in no order with it.
   */
  saveSnapshot(snapshot: Snapshot, done: (error: StorageError | null) => void): void;

  /**
   * Removes the entries up to `index`, which a snapshot must cover, in slices between which any waiting
   * Persist goes first. They are not answered any more from this call on.
   */
  compactThrough(index: LogIndex, done: (error: StorageError | null) => void): void;

  /** Waits for what was begun. May be called twice. */
  close(): Promise<void>;
}
