/**
 * The chain as this node has applied it, in `blocks.mdb`: blocks by height and by hash, the identities of
 * recent transactions, what was signed, and what was accepted and waits for a block.
 *
 * Blocks come from the Raft log and can be had from it again, so they are written lazily: `append` shows
 * a block to readers at once, and the disk gets it within `flushDelayMs` or with the next thing that
 * must be durable, which is usually the next height's signing mark. So a block costs one fsync, and in
 * catch-up many share one. A snapshot, and so the log's compaction, waits for `flushed`.
 */
import { setImmediate } from "node:timers/promises";
import { assert, defined } from "../base/assert.ts";
import { equalBytes } from "../base/bytes.ts";
import type { BlockReader, ChainHead, Height, StoredBlock, TxLocation } from "../block/types.ts";
import {
  type BackfillProgress,
  readBackfillProgress,
  writeBackfillProgress,
} from "./backfill-progress.ts";
import { encodeBlock, encodeHash, encodeHeight, type KeptTx } from "./block-codec.ts";
import { removableSlice } from "./block-pruning.ts";
import {
  type BlockTables,
  blockTables,
  readBlock,
  readHeightOf,
  readHeights,
  readMarks,
  readPrunedThrough,
} from "./block-tables.ts";
import { genesisHead, headOf, readHead } from "./chain-head.ts";
import type { ChainIdentity } from "./chain-identity.ts";
import { DamagedBlocks, type DamagedRun } from "./damaged-blocks.ts";
import type { DirectoryLock } from "./directory-lock.ts";
import type { Environment } from "./environment.ts";
import { Flusher } from "./flusher.ts";
import { KeptTxs } from "./kept-txs.ts";
import { numberKey } from "./keys.ts";
import { type SigningMark, SigningMarks } from "./signing-marks.ts";
import { type TxIdsAt, TxIndex } from "./tx-index.ts";
import { UnflushedBlocks } from "./unflushed-blocks.ts";
import { WriteSet } from "./write-set.ts";

/** What an opened store consists of; it owns all of them. */
export interface BlockStoreParts {
  readonly environment: Environment;
  /** null where the caller keeps it. */
  readonly lock: DirectoryLock | null;
  readonly genesis: ChainIdentity;
  readonly txWindow: number;
  readonly flushDelayMs: number;
}

/** What peers know of a block. */
type FetchedAgain = Pick<StoredBlock, "height" | "hash" | "header" | "data">;

const mebibyte = 1024 * 1024;

/** Blocks in memory that are not on disk; beyond it, `append` waits for the disk. */
const unflushedMaxBytes = 32 * mebibyte;
/**
 * Far below the heights that an executor can answer for again (`resultsKept` of `kv`): its own file may reach the
 * disk first, and a crash then leave it that far ahead.
 */
const unflushedMaxBlocks = 512;

/** Identities that are listed at once, a height counting as some of them: about a millisecond of work. */
const idsPerSlice = 1_024;
const idsPerHeight = 8;

export class BlockStore implements BlockReader {
  readonly #environment: Environment;
  readonly #tables: BlockTables;
  readonly #lock: DirectoryLock | null;
  readonly #flusher: Flusher;
  readonly #txs: TxIndex;
  readonly #kept: KeptTxs;
  readonly #marks: SigningMarks;
  readonly #damaged = new DamagedBlocks();
  readonly #genesisHead: ChainHead;
  readonly #unflushed = new UnflushedBlocks();
  /** What the next transaction will write, in the order in which it was asked for. */
  #writes = new WriteSet();
  #head: ChainHead;
  #earliest: Height | null;
  #closing: Promise<void> | null = null;

  /** Use `openBlockStore`. */
  constructor({ environment, lock, genesis, txWindow, flushDelayMs }: BlockStoreParts) {
    const tables = blockTables(environment);
    this.#environment = environment;
    this.#tables = tables;
    this.#lock = lock;
    this.#flusher = new Flusher(() => this.#flush(), flushDelayMs);
    this.#genesisHead = genesisHead(genesis);
    const heights = readHeights(tables);
    this.#earliest = heights?.earliest ?? null;
    this.#head = readHead(tables, heights?.latest ?? null, genesis);
    this.#marks = new SigningMarks(readMarks(tables));
    this.#kept = new KeptTxs(tables.kept);
    this.#txs = new TxIndex(tables, {
      window: txWindow,
      prunedThrough: readPrunedThrough(tables) ?? genesis.initialHeight - 1,
    });
  }

  get head(): ChainHead {
    return this.#head;
  }

  /** The Raft indexes of the blocks here are those of an earlier log: no entry of this one is in them. */
  beginLog(): void {
    this.#head = { ...this.#head, raftIndex: 0, raftTerm: 0 };
  }

  /** Up to here the blocks are on disk. */
  get flushedHeight(): Height {
    return this.#head.height - this.#unflushed.count;
  }

  get earliestHeight(): Height | null {
    return this.#earliest;
  }

  blockAt(height: Height): StoredBlock | null {
    if (!Number.isSafeInteger(height) || !this.#holds(height)) return null;
    return this.#damaged.guard(height, () => this.#read(height));
  }

  /** Blocks that were found damaged when they were read, each with what is wrong with it. */
  get damagedBlocks(): ReadonlyMap<Height, string> {
    return this.#damaged.found;
  }

  /** Those to be fetched again first; null if there are none that can be. */
  damagedRun(): DamagedRun | null {
    const [earliest, head] = [this.#earliest, this.#head];
    if (earliest === null) return null;
    const read = (height: Height) => defined(this.#read(height), "a held block is stored");
    return this.#damaged.lowestRun({ earliest, head, genesis: this.#genesisHead, read });
  }

  /**
   * Puts a block in the place of a damaged one. The caller has proven that it is the one that was there,
   * and `appHash` that of the header above it. Durable when it resolves. Nothing happens to one that has
   * been pruned meanwhile.
   */
  async restore({ height, hash, header, data }: FetchedAgain, appHash: Uint8Array): Promise<void> {
    this.#checkUsable();
    if (!this.#holds(height)) return;
    const isHead = height === this.#head.height;
    assert(!isHead || equalBytes(hash, this.#head.hash), "a restored head is the same", { height });
    const { raftIndex, raftTerm } = isHead ? this.#head : { raftIndex: 0, raftTerm: 0 };
    const txIds = this.#txs.idsAt(height);
    const block = { height, hash, header, data, txIds, appHash, raftIndex, raftTerm };
    const [record, heightRecord] = [encodeBlock(block), encodeHeight(height)];
    const { blocks, hashes } = this.#tables;
    this.#writes.add(record.length, () => blocks.put(numberKey(height), record));
    this.#writes.add(hash.length + heightRecord.length, () => hashes.put(hash, heightRecord));
    await this.#flusher.now();
    this.#damaged.forget(height);
  }

  heightOf(hash: Uint8Array): Height | null {
    const height = this.#unflushed.heightOf(hash) ?? readHeightOf(this.#tables, hash);
    return height === null || !this.#holds(height) ? null : height;
  }

  /** Where a transaction was executed, if that was within the window. */
  txLocation(txId: Uint8Array): TxLocation | null {
    return this.#txs.locate(txId, this.#head.height);
  }

  get identifiedFrom(): Height {
    return this.#txs.completeFrom(this.#head.height);
  }

  /**
   * Adds the next block. Reads show it, and `head` is it, when this returns its promise; the promise
   * waits only while too much is on its way to the disk. Rejects once the disk has failed.
   */
  async append(block: StoredBlock): Promise<void> {
    this.#checkUsable();
    const { height, hash } = block;
    const lastHash = block.header.header.lastHeaderHash;
    assert(height === this.#head.height + 1, "blocks are stored without a gap", { height });
    assert(block.header.header.height === height, "a header has its block's height", { height });
    assert(equalBytes(lastHash, this.#head.hash), "a block links to the head", { height });
    this.#marks.check({ height, hash }, null);

    const record = encodeBlock(block);
    const { blocks, hashes, signed } = this.#tables;
    const heightRecord = encodeHeight(height);
    this.#writes.add(record.length, () => blocks.put(numberKey(height), record));
    this.#writes.add(hash.length + heightRecord.length, () => hashes.put(hash, heightRecord));
    this.#txs.add(this.#writes, height, block.txIds);
    for (const txId of block.txIds) this.#kept.drop(this.#writes, txId);
    for (const marked of this.#marks.takeCovered(height)) {
      this.#writes.add(0, () => signed.remove(numberKey(marked)));
    }
    this.#unflushed.add(block);
    this.#head = headOf(block);
    this.#earliest ??= height;
    this.#flusher.soon();
    const isFull =
      this.#writes.sizeBytes > unflushedMaxBytes || this.#unflushed.count > unflushedMaxBlocks;
    if (isFull) await this.#flusher.now();
  }

  /**
   * Removes the lowest blocks up to `through`, as many as one short transaction takes, and returns how
   * many that were: 0 when there are none left. The last block on disk stays, and all after it.
   */
  async prune(through: Height): Promise<number> {
    this.#checkUsable();
    const earliest = this.#earliest;
    const last = Math.min(through, this.flushedHeight - 1);
    if (earliest === null || earliest > last) return 0;
    const { blocks, hashes } = this.#tables;
    const slice = removableSlice(this.#tables, earliest, last);
    for (const { height, hash } of slice) {
      this.#writes.add(0, () => blocks.remove(numberKey(height)));
      if (hash !== null) this.#writes.add(0, () => hashes.remove(hash));
      this.#damaged.forget(height);
    }
    // First for readers, then on disk: none of them finds half of it.
    this.#earliest = earliest + slice.length;
    await this.#flusher.now();
    return slice.length;
  }

  /** Resolves once everything before it is on disk. */
  async flushed(): Promise<void> {
    this.#checkUsable();
    await this.#flusher.now();
  }

  /** The highest height that was ever marked for signing; null before the first. */
  watermark(): SigningMark | null {
    return this.#marks.watermark;
  }

  /**
   * Must resolve before a signature of `hash` at `height` is made (P4): then the mark is on disk, and if it was
   * new all blocks before it. Throws STORAGE_DOUBLE_SIGN if another hash was, or may have been, signed there.
   */
  async setWatermark(mark: SigningMark): Promise<void> {
    this.markAhead([mark]);
    const { height } = mark;
    const isOnItsWay = this.#marks.isOnItsWay(height) || this.#unflushed.at(height) !== null;
    if (isOnItsWay) await this.#flusher.now();
  }

  /** Marks blocks whose turn to be signed will come: then their marks share a write. Throws as `setWatermark`. */
  markAhead(marks: readonly SigningMark[]): void {
    this.#checkUsable();
    for (const mark of marks) {
      const { height, hash } = mark;
      if (this.#marks.check(mark, this.blockAt(height)?.hash ?? null) === "known") continue;
      this.#marks.add(mark, this.#head.height);
      const record = encodeHash(hash);
      this.#writes.add(record.length, () => this.#tables.signed.put(numberKey(height), record));
      this.#flusher.soon();
    }
  }

  /** Keeps an accepted transaction until it is in a block or dropped. Durable when it resolves. */
  async keepTx(txId: Uint8Array, tx: Uint8Array): Promise<void> {
    this.#checkUsable();
    if (this.txLocation(txId) !== null) return;
    this.#kept.keep(this.#writes, { txId, tx });
    await this.#flusher.now();
  }

  dropTx(txId: Uint8Array): void {
    if (this.#closing === null && this.#kept.drop(this.#writes, txId)) this.#flusher.soon();
  }

  /** What was kept when the last process ended, oldest first. */
  keptTxs(): readonly KeptTx[] {
    return this.#kept.list();
  }

  get keptTxCount(): number {
    return this.#kept.size;
  }

  /**
   * The identities within the window below `head`, and of it, those from `from` on, by ascending height: in slices, of which
   * none is removed meanwhile.
   */
  async *recentTxIds(head: Height, from = 0): AsyncGenerator<TxIdsAt, void, undefined> {
    let work = 0;
    for (const identities of this.#txs.recent(head, from)) {
      if (identities !== null) yield identities;
      work += idsPerHeight + (identities?.txIds.length ?? 0);
      if (work < idsPerSlice) continue;
      work = 0;
      await setImmediate();
      this.#checkUsable();
    }
  }

  /** What the last backfill had proven; null if it ended, or none began. */
  backfillProgress(): BackfillProgress | null {
    return readBackfillProgress(this.#tables.meta);
  }

  /** Durable when it resolves; without anchors nothing is kept. */
  async saveBackfillProgress(progress: BackfillProgress): Promise<void> {
    this.#checkUsable();
    writeBackfillProgress(this.#writes, this.#tables.meta, progress);
    await this.#flusher.now();
  }

  /** Writes what is waiting, and closes. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #flush(): Promise<void> {
    const writes = this.#writes;
    const blocks = this.#unflushed.list();
    const marks = this.#marks.onTheirWay;
    this.#writes = new WriteSet();
    if (writes.isEmpty) return;
    await this.#environment.commit(writes.sizeBytes, () => writes.run());
    this.#marks.written(marks);
    for (const block of blocks) {
      this.#unflushed.remove(block);
      this.#txs.flushed(block.height);
    }
  }

  #read(height: Height): StoredBlock | null {
    return this.#unflushed.at(height) ?? readBlock(this.#tables, height);
  }

  #holds(height: Height): boolean {
    return this.#earliest !== null && height >= this.#earliest && height <= this.#head.height;
  }

  #checkUsable(): void {
    this.#flusher.check();
    if (this.#closing !== null) throw this.#environment.closedError();
  }

  async #close(): Promise<void> {
    try {
      // A failure that was told already must not keep the rest from closing.
      if (!this.#flusher.hasFailed) await this.#flusher.now();
    } finally {
      await this.#environment.close();
      await this.#lock?.release();
    }
  }
}
