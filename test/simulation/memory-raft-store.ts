/**
 * A Raft store in memory: the disk of a simulated server. Nothing becomes durable, and nothing is
 * answered, before `flush` says so, and a crash keeps exactly what was flushed.
 */
import { assert, defined } from "../../src/base/assert.ts";
import type { LogReader, Persist } from "../../src/raft/ready.ts";
import type {
  Entry,
  EntryId,
  HardState,
  LogIndex,
  Origin,
  Snapshot,
  Term,
} from "../../src/raft/types.ts";
import { corrupt, StorageError } from "../../src/storage/errors.ts";
import { payloadBytes } from "../../src/storage/log-codec.ts";
import {
  compactOutline,
  outlineHolds,
  outlineTermAt,
  truncateOutline,
} from "../../src/storage/log-outline.ts";
import {
  afterPersist,
  afterSnapshotTaken,
  emptyRaftState,
  type RaftState,
  removedFrom,
} from "../../src/storage/raft-state.ts";
import type { RaftStore } from "../../src/storage/raft-store.ts";

/** What is on the simulated disk. */
interface Disk {
  readonly incarnation: Uint8Array;
  readonly state: RaftState;
  /** Belongs to one store, and changes with it: a copy for each write would be most of a simulation. */
  readonly entries: Map<LogIndex, Entry>;
  readonly snapshot: Snapshot | null;
  /** Changes with the store, as they do. */
  readonly damage: Damage;
}

/** Entries whose checksums do not hold any more. */
class Damage {
  readonly indexes: Set<LogIndex>;
  /** One of them was read. */
  isFound: boolean;

  constructor(indexes: ReadonlySet<LogIndex> = new Set(), isFound = false) {
    this.indexes = new Set(indexes);
    this.isFound = isFound;
  }

  copy(): Damage {
    return new Damage(this.indexes, this.isFound);
  }
}

interface Job {
  readonly apply: (disk: Disk) => Disk;
  /** What it takes out of the log from this index on; null for nothing. */
  readonly persist: Persist | null;
  readonly done: (error: StorageError | null) => void;
}

export class MemoryRaftStore implements RaftStore {
  readonly log: LogReader;
  #disk: Disk;
  #planned: RaftState;
  #jobs: Job[] = [];
  #failure: StorageError | null = null;

  /** `incarnation` stands for the random bytes of a real store. */
  constructor(incarnation: Uint8Array, disk?: Disk) {
    this.#disk = disk ?? {
      incarnation,
      state: emptyRaftState,
      entries: new Map(),
      snapshot: null,
      damage: new Damage(),
    };
    this.#planned = this.#disk.state;
    this.log = new MemoryLogReader(() => this.#visible());
  }

  get hardState(): HardState {
    return this.#disk.state.hardState;
  }

  get origin(): Origin {
    return this.#disk.state.origin;
  }

  get incarnation(): Uint8Array {
    return this.#disk.incarnation;
  }

  get isEmpty(): boolean {
    const { hardState, snapshotLast, outline } = this.#disk.state;
    const hasPromised = hardState.currentTerm > 0 || hardState.votedFor !== null;
    return !hasPromised && snapshotLast.index === 0 && outline.lastIndex === 0;
  }

  /** A held entry was hit by a flipped bit: reading it fails, as its checksum makes it fail. */
  get isDamaged(): boolean {
    return this.#disk.damage.indexes.size > 0;
  }

  /** A process has read such an entry; or the next one will not begin, since it reads the last and the configurations. */
  get isDamageFound(): boolean {
    const { damage, state } = this.#disk;
    const { lastIndex, configurations } = state.outline;
    const readFirst = [lastIndex, ...configurations];
    return this.isDamaged && (damage.isFound || readFirst.some((at) => damage.indexes.has(at)));
  }

  /** A bit of a durable entry flips. */
  damage(index: LogIndex): void {
    assert(this.#disk.entries.has(index), "what is damaged is there", { index });
    this.#disk.damage.indexes.add(index);
  }

  /** As a store without checksums would have it: what was damaged reads as something else. */
  readDamagedAs(reading: (entry: Entry) => Entry): void {
    const { entries, damage } = this.#disk;
    for (const index of damage.indexes) {
      entries.set(index, reading(defined(entries.get(index), "what is damaged is there")));
    }
    damage.indexes.clear();
  }

  /** Writes given and not yet flushed. */
  get unflushedCount(): number {
    return this.#jobs.length;
  }

  persist(persist: Persist, done: (error: StorageError | null) => void): void {
    this.#planned = afterPersist(this.#planned, persist);
    this.#enqueue({ persist, apply: (disk) => applyPersist(disk, persist), done });
  }

  /** Memory has room. */
  shortageFor(): null {
    return null;
  }

  saveSnapshot(snapshot: Snapshot, done: Job["done"]): void {
    if (snapshot.last.index <= this.#planned.snapshotLast.index)
      return queueMicrotask(() => done(null));
    this.#planned = afterSnapshotTaken(this.#planned, snapshot.last);
    const apply = (disk: Disk): Disk => {
      const state = afterSnapshotTaken(disk.state, snapshot.last);
      return state === disk.state ? disk : { ...disk, state, snapshot };
    };
    this.#enqueue({ persist: null, apply, done });
  }

  compactThrough(index: LogIndex, done: Job["done"]): void {
    assert(index <= this.#disk.state.snapshotLast.index, "only what a snapshot covers is removed");
    const compact = (state: RaftState): RaftState => ({
      ...state,
      outline: compactOutline(state.outline, Math.min(index, state.outline.lastIndex)),
    });
    this.#planned = compact(this.#planned);
    this.#disk = withState(this.#disk, compact(this.#disk.state));
    this.#enqueue({ persist: null, apply: (disk) => withState(disk, compact(disk.state)), done });
  }

  /** Makes the first `count` writes durable, in order, and answers them. */
  flush(count = this.#jobs.length): void {
    for (const job of this.#jobs.splice(0, count)) {
      this.#disk = job.apply(this.#disk);
      job.done(null);
    }
  }

  /** The disk breaks: everything not yet flushed, and everything later, fails. */
  fail(): void {
    const path = "memory";
    this.#failure = new StorageError({ code: "STORAGE_IO", path, errno: "EIO" }, "simulated");
    for (const job of this.#jobs.splice(0)) job.done(this.#failure);
  }

  /** What the next process finds. This store must not be used again; its writes under way are never answered. */
  crash(): MemoryRaftStore {
    this.#jobs = [];
    return this.copy();
  }

  /** Another store with the same durable state, incarnation included: a cloned disk. */
  copy(): MemoryRaftStore {
    const entries = new Map(this.#disk.entries);
    const damage = this.#disk.damage.copy();
    return new MemoryRaftStore(this.#disk.incarnation, { ...this.#disk, entries, damage });
  }

  close(): Promise<void> {
    this.flush();
    this.#failure ??= new StorageError({ code: "STORAGE_CLOSED", path: "memory" }, "closed");
    return Promise.resolve();
  }

  #enqueue(job: Job): void {
    const failure = this.#failure;
    if (failure !== null) queueMicrotask(() => job.done(failure));
    else this.#jobs.push(job);
  }

  /** The disk without what a write under way takes out of it. */
  #visible(): Disk {
    if (this.#jobs.length === 0) return this.#disk;
    let { outline } = this.#disk.state;
    for (const { persist } of this.#jobs) {
      const from = persist === null ? null : removedFrom(outline, persist);
      if (from !== null) outline = truncateOutline(outline, Math.max(from, outline.firstIndex));
    }
    if (outline === this.#disk.state.outline) return this.#disk;
    return { ...this.#disk, state: { ...this.#disk.state, outline } };
  }
}

class MemoryLogReader implements LogReader {
  readonly #disk: () => Disk;
  #prepared: Snapshot | null = null;

  constructor(disk: () => Disk) {
    this.#disk = disk;
  }

  get snapshotLast(): EntryId {
    return this.#disk().state.snapshotLast;
  }

  get firstIndex(): LogIndex {
    return this.#disk().state.outline.firstIndex;
  }

  get lastIndex(): LogIndex {
    return this.#disk().state.outline.lastIndex;
  }

  termAt(index: LogIndex): Term | null {
    return outlineTermAt(this.#disk().state.outline, index);
  }

  entries(from: LogIndex, to: LogIndex, maxBytes: number): readonly Entry[] {
    const disk = this.#disk();
    const { state } = disk;
    assert(from <= to, "a range of entries is not empty", { from, to });
    assert(outlineHolds(state.outline, from), "entries are read from within the log", { from });
    const found: Entry[] = [];
    let sizeBytes = 0;
    for (let index = from; index <= Math.min(to, state.outline.lastIndex); index++) {
      const entry = readEntry(disk, index);
      sizeBytes += payloadBytes(entry);
      if (found.length > 0 && sizeBytes > maxBytes) break;
      found.push(entry);
    }
    return found;
  }

  configurationEntries(): readonly Entry[] {
    const disk = this.#disk();
    return disk.state.outline.configurations.map((index) => readEntry(disk, index));
  }

  snapshot(): Snapshot | null {
    return this.#isPrepared ? this.#prepared : this.#disk().snapshot;
  }

  /** Reading one takes until it is asked for again. */
  prepareSnapshot(): boolean {
    const isRead = this.#isPrepared || this.#disk().snapshot === null;
    if (!isRead) this.#prepared = this.#disk().snapshot;
    return isRead;
  }

  /** Whether the log goes on from what has been read. */
  get #isPrepared(): boolean {
    const index = this.#prepared?.last.index ?? -1;
    return index + 1 >= this.firstIndex && index <= this.snapshotLast.index;
  }
}

function readEntry({ entries, damage }: Disk, index: LogIndex): Entry {
  if (damage.indexes.has(index)) {
    damage.isFound = true;
    const place = { path: "memory", database: "log", key: String(index) };
    throw corrupt(place, "does not match its checksum");
  }
  return defined(entries.get(index), "a held entry is there");
}

function applyPersist(disk: Disk, persist: Persist): Disk {
  const after = withState(disk, afterPersist(disk.state, persist));
  for (const entry of persist.entries) {
    disk.entries.set(entry.index, entry);
    disk.damage.indexes.delete(entry.index);
  }
  return { ...after, snapshot: persist.snapshot ?? disk.snapshot };
}

/** `disk` in `state`, without the entries that it does not hold. */
function withState(disk: Disk, state: RaftState): Disk {
  const { firstIndex, lastIndex } = disk.state.outline;
  const { outline } = state;
  for (let index = firstIndex; index < outline.firstIndex && index <= lastIndex; index++) {
    remove(disk, index);
  }
  for (let index = Math.max(firstIndex, outline.lastIndex + 1); index <= lastIndex; index++) {
    remove(disk, index);
  }
  return { ...disk, state };
}

function remove({ entries, damage }: Disk, index: LogIndex): void {
  entries.delete(index);
  damage.indexes.delete(index);
}
