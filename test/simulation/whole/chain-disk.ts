/** A node's blocks and signing marks: what is on disk, and the store that a process has of it. */

import { assert } from "../../../src/base/assert.ts";
import { equalBytes, toHex } from "../../../src/base/bytes.ts";
import type { TxIdsAt } from "../../../src/block/snapshot-codec.ts";
import type { ChainHead, Height, StoredBlock, TxLocation } from "../../../src/block/types.ts";
import type { ChainStore } from "../../../src/sequencer/ports.ts";
import type { SnapshotStore } from "../../../src/sequencer/snapshot.ts";
import { headOf } from "../../../src/storage/chain-head.ts";
import { StorageError } from "../../../src/storage/errors.ts";
import { type SigningMark, SigningMarks } from "../../../src/storage/signing-marks.ts";

/** What a crash leaves. */
export class ChainDisk {
  readonly blocks: StoredBlock[] = [];
  readonly marks: SigningMark[] = [];
  readonly kept = new Map<string, { readonly txId: Uint8Array; readonly tx: Uint8Array }>();

  /** The block at that height says the same. */
  forgetMark(height: Height): void {
    const at = this.marks.findIndex((mark) => mark.height === height);
    if (at !== -1) this.marks.splice(at, 1);
  }

  wipe(): void {
    this.blocks.length = 0;
    this.marks.length = 0;
    this.kept.clear();
  }
}

type Write = (disk: ChainDisk) => void;

/** What reaches the disk together, and who waits for it. */
interface Batch {
  readonly writes: Write[];
  readonly waiters: PromiseWithResolvers<void>[];
}

export interface ChainStoreTiming {
  /** Calls back when what is being written is on disk; never once the process has died. */
  readonly written: (done: () => void) => void;
  /** Whether the process still runs: a dead one's promises must come to nothing. */
  readonly isRunning: () => boolean;
}

/** Writes become durable in order, those that wait together at once, as LMDB's transactions do. */
export class SimulatedChainStore implements ChainStore, SnapshotStore {
  readonly #disk: ChainDisk;
  readonly #genesis: ChainHead;
  readonly #timing: ChainStoreTiming;
  readonly #blocks: StoredBlock[];
  readonly #heights = new Map<string, Height>();
  readonly #locations = new Map<string, TxLocation>();
  readonly #marks: SigningMarks;
  /** Heights of blocks on their way to the disk. */
  readonly #unflushed = new Set<Height>();
  #head: ChainHead;
  #waiting: Batch = { writes: [], waiters: [] };
  #writing: Batch | null = null;
  #failure: StorageError | null = null;

  constructor(disk: ChainDisk, genesis: ChainHead, timing: ChainStoreTiming) {
    this.#disk = disk;
    this.#genesis = genesis;
    this.#timing = timing;
    this.#blocks = [...disk.blocks];
    this.#marks = new SigningMarks(disk.marks);
    for (const block of this.#blocks) this.#index(block);
    const last = this.#blocks.at(-1);
    this.#head = last === undefined ? genesis : headOf(last);
  }

  get head(): ChainHead {
    return this.#head;
  }

  get earliestHeight(): Height | null {
    return this.#blocks[0]?.header.header.height ?? null;
  }

  blockAt(height: Height): StoredBlock | null {
    return this.#blocks[height - this.#genesis.height - 1] ?? null;
  }

  heightOf(hash: Uint8Array): Height | null {
    return this.#heights.get(toHex(hash)) ?? null;
  }

  txLocation(txId: Uint8Array): TxLocation | null {
    return this.#locations.get(toHex(txId)) ?? null;
  }

  get identifiedFrom(): Height {
    return this.#genesis.height + 1;
  }

  /** The blocks are older than the log that begins. */
  beginLog(): void {
    this.#head = { ...this.#head, raftIndex: 0, raftTerm: 0 };
  }

  async append(block: StoredBlock): Promise<void> {
    if (!this.#timing.isRunning()) return never;
    this.#checkUsable();
    const { height, hash, header } = block;
    assert(height === this.#head.height + 1, "blocks are stored without a gap", { height });
    const { lastHeaderHash } = header.header;
    assert(equalBytes(lastHeaderHash, this.#head.hash), "a block links to the head", { height });
    this.#marks.check({ height, hash }, null);
    const covered = this.#marks.takeCovered(height);
    this.#blocks.push(block);
    this.#index(block);
    this.#head = headOf(block);
    this.#unflushed.add(height);
    this.#write((disk) => {
      disk.blocks.push(block);
      this.#unflushed.delete(height);
      for (const txId of block.txIds) disk.kept.delete(toHex(txId));
      for (const marked of covered) disk.forgetMark(marked);
    });
  }

  async setWatermark(mark: SigningMark): Promise<void> {
    if (!this.#timing.isRunning()) return never;
    this.markAhead([mark]);
    if (this.#marks.isOnItsWay(mark.height) || this.#unflushed.has(mark.height)) {
      await this.flushed();
    }
  }

  markAhead(marks: readonly SigningMark[]): void {
    if (!this.#timing.isRunning()) return;
    this.#checkUsable();
    for (const mark of marks) {
      const stored = this.blockAt(mark.height)?.hash ?? null;
      if (this.#marks.check(mark, stored) === "known") continue;
      this.#marks.add(mark, this.#head.height);
      this.#write((disk) => {
        disk.marks.push(mark);
        this.#marks.written([mark.height]);
      });
    }
  }

  async keepTx(txId: Uint8Array, tx: Uint8Array): Promise<void> {
    if (!this.#timing.isRunning()) return never;
    this.#checkUsable();
    if (this.txLocation(txId) !== null) return;
    this.#write((disk) => disk.kept.set(toHex(txId), { txId, tx }));
    await this.flushed();
  }

  dropTx(txId: Uint8Array): void {
    this.#write((disk) => disk.kept.delete(toHex(txId)));
  }

  keptTxs() {
    return [...this.#disk.kept.values()];
  }

  flushed(): Promise<void> {
    if (!this.#timing.isRunning()) return never;
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#writing === null && this.#waiting.writes.length === 0) return Promise.resolve();
    const waiter = Promise.withResolvers<void>();
    this.#waiting.waiters.push(waiter);
    this.#begin();
    return waiter.promise;
  }

  /** The disk has failed: what is being written may be there or not, and nothing comes after it. */
  fail(): void {
    const failure = new StorageError(
      { code: "STORAGE_IO", path: "blocks", errno: "EIO" },
      "The disk of the blocks has failed, as simulated.",
    );
    this.#failure = failure;
    for (const batch of [this.#writing, this.#waiting]) {
      for (const waiter of batch?.waiters.splice(0) ?? []) waiter.reject(failure);
    }
  }

  get hasFailed(): boolean {
    return this.#failure !== null;
  }

  txIdsUpTo(height: Height): readonly TxIdsAt[] {
    return this.#blocks
      .map((block) => ({ height: block.header.header.height, txIds: block.txIds }))
      .filter((at) => at.height <= height && at.txIds.length > 0);
  }

  async *recentTxIds(head: Height, from = 0): AsyncGenerator<TxIdsAt, void, undefined> {
    for (const identities of this.txIdsUpTo(head)) if (identities.height >= from) yield identities;
  }

  /** What is being written is there as a whole, or not at all. */
  crash(isWritten: boolean): void {
    if (isWritten) for (const write of this.#writing?.writes ?? []) write(this.#disk);
    this.#writing = null;
    this.#waiting = { writes: [], waiters: [] };
  }

  #write(write: Write): void {
    this.#waiting.writes.push(write);
    this.#begin();
  }

  #begin(): void {
    const batch = this.#waiting;
    if (this.#failure !== null || this.#writing !== null) return;
    if (batch.writes.length + batch.waiters.length === 0) return;
    this.#writing = batch;
    this.#waiting = { writes: [], waiters: [] };
    this.#timing.written(() => {
      if (this.#failure !== null) return;
      for (const write of batch.writes) write(this.#disk);
      this.#writing = null;
      for (const waiter of batch.waiters) waiter.resolve();
      this.#begin();
    });
  }

  #checkUsable(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  #index({ height, hash, txIds }: StoredBlock): void {
    this.#heights.set(toHex(hash), height);
    for (const [index, txId] of txIds.entries()) {
      this.#locations.set(toHex(txId), { height, index });
    }
  }
}

/** What a dead process waits for. */
const never: Promise<never> = new Promise(() => {});
