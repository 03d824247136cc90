/**
 * The Raft log and stable state in `raft.mdb`, beside it the snapshots and the directory's lock.
 *
 * Writes wait in one queue with one writer. What is in the queue when the writer comes back becomes the
 * next transaction: under load more Persists share an fsync, and an idle store answers after one.
 */
import { assert } from "../base/assert.ts";
import type { LogReader, Persist } from "../raft/ready.ts";
import type { EntryId, HardState, LogIndex, Origin, Snapshot } from "../raft/types.ts";
import type { DirectoryLock } from "./directory-lock.ts";
import type { Shortage } from "./disk.ts";
import type { Environment } from "./environment.ts";
import { StorageError } from "./errors.ts";
import { LmdbLogReader } from "./lmdb-log-reader.ts";
import { payloadBytes } from "./log-codec.ts";
import { compactOutline, type LogOutline, truncateOutline } from "./log-outline.ts";
import { afterPersist, afterSnapshotTaken, type RaftState, removedFrom } from "./raft-state.ts";
import type { RaftStore } from "./raft-store.ts";
import type { RaftTables } from "./raft-tables.ts";
import { addPersist, addRemoval, addSnapshotLast } from "./raft-writes.ts";
import { RecordMemory } from "./record-memory.ts";
import type { SnapshotFiles } from "./snapshot-files.ts";
import { WriteSet } from "./write-set.ts";

/** One transaction takes about this many payload bytes from the queue; the rest waits for the next. */
const commitMaxBytes = 32 * 1024 * 1024;

/** Entries that compaction removes in one transaction: well under the time of one fsync. */
const compactionSliceEntries = 64;

type Done = (error: StorageError | null) => void;
type Job = { readonly done: Done } & (
  | { readonly kind: "persist"; readonly persist: Persist }
  | { readonly kind: "snapshotTaken"; readonly last: EntryId }
);

/** What an opened store consists of; it owns all of them. */
export interface LmdbRaftStoreParts {
  readonly environment: Environment;
  readonly tables: RaftTables;
  readonly snapshots: SnapshotFiles;
  readonly lock: DirectoryLock;
  readonly incarnation: Uint8Array;
  readonly state: RaftState;
  readonly firstStoredIndex: LogIndex;
}

export class LmdbRaftStore implements RaftStore {
  readonly log: LogReader;
  readonly incarnation: Uint8Array;
  readonly #environment: Environment;
  readonly #tables: RaftTables;
  readonly #snapshots: SnapshotFiles;
  readonly #lock: DirectoryLock;
  /** In the order they were given; the first ones may be in the transaction under way. */
  readonly #jobs: Job[] = [];
  /** Of the transaction under way: there is one at a time. */
  readonly #recordMemory = new RecordMemory();
  #isWriting = false;
  /** What is on disk for certain, less what compaction is about to remove. */
  #durable: RaftState;
  /** What will be, once all jobs are done: what the core asks for is checked when it asks. */
  #planned: RaftState;
  /** The durable state without what a job is about to take out of it. */
  #visible: RaftState;
  /** Entries up to here are hidden, and removed when nothing else is to be written. */
  #compactedThrough: LogIndex;
  /** Entries below are gone from the disk. */
  #firstStoredIndex: LogIndex;
  /** Who waits for the removal up to `#compactedThrough`. */
  readonly #compactions: Done[] = [];
  /** The file of a snapshot of the own state machine. */
  #writingFile: Promise<void> = Promise.resolve();
  #failure: StorageError | null = null;
  #closing: Promise<void> | null = null;
  #onIdle: (() => void) | null = null;

  constructor(parts: LmdbRaftStoreParts) {
    this.#environment = parts.environment;
    this.#tables = parts.tables;
    this.#snapshots = parts.snapshots;
    this.#lock = parts.lock;
    this.incarnation = parts.incarnation;
    this.#durable = parts.state;
    this.#planned = parts.state;
    this.#visible = parts.state;
    this.#firstStoredIndex = parts.firstStoredIndex;
    this.#compactedThrough = parts.state.outline.firstIndex - 1;
    this.log = new LmdbLogReader(() => this.#visible, parts.tables.log, parts.snapshots);
  }

  get hardState(): HardState {
    return this.#visible.hardState;
  }

  get origin(): Origin {
    return this.#visible.origin;
  }

  get isEmpty(): boolean {
    const { hardState, snapshotLast, outline } = this.#durable;
    const hasPromised = hardState.currentTerm > 0 || hardState.votedFor !== null;
    return !hasPromised && snapshotLast.index === 0 && outline.lastIndex === 0;
  }

  persist(persist: Persist, done: Done): void {
    this.#planned = afterPersist(this.#planned, persist);
    this.#enqueue({ kind: "persist", persist, done });
  }

  shortageFor(snapshotBytes: number): Shortage | null {
    return this.#environment.shortageFor(snapshotBytes);
  }

  saveSnapshot(snapshot: Snapshot, done: Done): void {
    const { last } = snapshot;
    const refusal = this.#refusal();
    if (refusal !== null || last.index <= this.#planned.snapshotLast.index) {
      return queueMicrotask(() => done(refusal));
    }
    const pruneAndAnswer: Done = (error) => {
      if (error === null) this.#snapshots.prune(this.#durable.snapshotLast);
      done(error);
    };
    this.#writingFile = this.#snapshots.write(snapshot).then(
      () => {
        this.#planned = afterSnapshotTaken(this.#planned, last);
        this.#enqueue({ kind: "snapshotTaken", last, done: pruneAndAnswer });
      },
      (error: unknown) => done(storageErrorOf(error)),
    );
  }

  compactThrough(index: LogIndex, done: Done): void {
    assert(index <= this.#durable.snapshotLast.index, "only what a snapshot covers is removed", {
      index,
      snapshotLast: this.#durable.snapshotLast,
    });
    const refusal = this.#refusal();
    if (refusal !== null) return queueMicrotask(() => done(refusal));
    // First for readers, then on disk, so that none of them misses an entry half-way.
    this.#compactedThrough = Math.max(index, this.#compactedThrough);
    this.#durable = this.#withoutCompacted(this.#durable);
    this.#planned = this.#withoutCompacted(this.#planned);
    this.#refreshVisible();
    this.#compactions.push(done);
    this.#startWriting();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #enqueue(job: Job): void {
    const refusal = this.#refusal();
    if (refusal !== null) {
      queueMicrotask(() => job.done(refusal));
      return;
    }
    this.#jobs.push(job);
    // Only a removal changes what may be seen now; thousands of appends may be waiting.
    if (job.kind === "persist" && removes(job.persist)) this.#refreshVisible();
    this.#startWriting();
  }

  #refusal(): StorageError | null {
    if (this.#failure !== null) return this.#failure;
    return this.#closing === null ? null : this.#environment.closedError();
  }

  #startWriting(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    void this.#write();
  }

  async #write(): Promise<void> {
    while (this.#failure === null) {
      if (this.#jobs.length > 0) await this.#commitJobs();
      else if (this.#compactions.length > 0) await this.#compactSlice();
      else break;
    }
    this.#isWriting = false;
    this.#onIdle?.();
  }

  async #commitJobs(): Promise<void> {
    const batch = nextBatch(this.#jobs);
    this.#recordMemory.begin();
    const writes = new WriteSet();
    let after = this.#durable;
    try {
      for (const job of batch) {
        // The file goes before the transaction that refers to it: a crash between them leaves a file
        // too many, which is removed at the next start, and never one too few.
        if (installsSnapshot(job)) await this.#snapshots.write(job.persist.snapshot);
        after = this.#addJob(writes, after, job);
      }
      await this.#environment.commit(writes.sizeBytes, () => writes.run());
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#recordMemory.end();
    this.#jobs.splice(0, batch.length);
    this.#durable = this.#withoutCompacted(after);
    this.#refreshVisible();
    const installed = batch.find(installsSnapshot);
    if (installed !== undefined) {
      // A newer one of the own state machine may be in the same batch, which leaves the log as it is.
      this.#firstStoredIndex = installed.persist.snapshot.last.index + 1;
      this.#snapshots.prune(this.#durable.snapshotLast);
    }
    for (const job of batch) job.done(null);
  }

  /** Adds a job's writes, and returns the state after them. */
  #addJob(writes: WriteSet, state: RaftState, job: Job): RaftState {
    if (job.kind === "snapshotTaken") {
      const after = afterSnapshotTaken(state, job.last);
      if (after !== state) addSnapshotLast(writes, this.#tables, job.last);
      return after;
    }
    return addPersist(writes, this.#tables, state, job.persist, this.#recordMemory);
  }

  async #compactSlice(): Promise<void> {
    const from = this.#firstStoredIndex;
    const through = Math.min(this.#compactedThrough, from + compactionSliceEntries - 1);
    if (from > through) {
      for (const done of this.#compactions.splice(0)) done(null);
      return;
    }
    const writes = new WriteSet();
    addRemoval(writes, this.#tables, from, through);
    try {
      await this.#environment.commit(writes.sizeBytes, () => writes.run());
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#firstStoredIndex = through + 1;
  }

  #fail(error: unknown): void {
    const failure = storageErrorOf(error);
    this.#failure = failure;
    for (const job of this.#jobs.splice(0)) job.done(failure);
    for (const done of this.#compactions.splice(0)) done(failure);
  }

  #withoutCompacted(state: RaftState): RaftState {
    const through = Math.min(this.#compactedThrough, state.outline.lastIndex);
    return { ...state, outline: compactOutline(state.outline, through) };
  }

  #refreshVisible(): void {
    let { outline } = this.#durable;
    for (const job of this.#jobs) {
      if (job.kind === "persist") outline = hideRemoved(outline, job.persist);
    }
    this.#visible = { ...this.#durable, outline };
  }

  async #close(): Promise<void> {
    // Nothing enters the queue any more; what is in it is still written.
    await this.#writingFile;
    if (this.#isWriting) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#environment.close();
    await this.#lock.release();
  }
}

/** Anything else is a bug, and must stop the process. */
function storageErrorOf(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  throw error;
}

function installsSnapshot(job: Job): job is Job & { persist: { snapshot: Snapshot } } {
  return job.kind === "persist" && job.persist.snapshot !== null;
}

function removes({ snapshot, truncateFrom }: Persist): boolean {
  return snapshot !== null || truncateFrom !== null;
}

function hideRemoved(outline: LogOutline, persist: Persist): LogOutline {
  const from = removedFrom(outline, persist);
  return from === null ? outline : truncateOutline(outline, Math.max(from, outline.firstIndex));
}

/** As many jobs as share a transaction: a received snapshot begins one, and sizes are bounded. */
function nextBatch(jobs: readonly Job[]): readonly Job[] {
  let sizeBytes = 0;
  const end = jobs.findIndex((job, at) => {
    if (job.kind !== "persist") return false;
    for (const entry of job.persist.entries) sizeBytes += payloadBytes(entry);
    return at > 0 && (job.persist.snapshot !== null || sizeBytes > commitMaxBytes);
  });
  return jobs.slice(0, end === -1 ? jobs.length : end);
}
