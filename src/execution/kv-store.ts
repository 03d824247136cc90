/**
 * What the `kv` executor keeps, in `<directory>/kv.mdb`:
 *
 *   meta      "format", "genesis", "head"
 *   state     key -> height of the last write, value
 *   tree      place -> node of the Merkle tree (kv-tree.ts)
 *   results   height -> what was executed and what came of it, for the newest heights
 *
 * Every record has a checksum: a flipped bit is a StorageError.
 *
 * A block can be read at once, and reaches the disk a moment later, together with those that follow it:
 * after a crash the file holds the state of some block, whole, and the blocks after it come again.
 */

import { assert } from "../base/assert.ts";
import { ensureDirectory } from "../storage/disk.ts";
import { Environment } from "../storage/environment.ts";
import { corrupt } from "../storage/errors.ts";
import { Flusher } from "../storage/flusher.ts";
import { RecordReader, RecordWriter } from "../storage/record.ts";
import { newer } from "./errors.ts";
import type { ExecutionHead, GenesisParameters } from "./executor.ts";
import { PendingTable } from "./pending-table.ts";

/** Results of this many heights are kept, to recognise a block that comes again after a crash. */
export const resultsKept = 2048;

const fileName = "kv.mdb";
const formatVersion = 1;
const tableNames = ["meta", "state", "tree", "results"] as const;
const gibibyte = 1024 ** 3;
const fileMaxBytesDefault = 64 * gibibyte;
const freeMinBytesDefault = 64 * 1024 ** 2;
/** LMDB copies the pages it changes: about this much around each record, and for each commit. */
const overheadBytes = 4096;
const flushDelayMsDefault = 20;
/** Beyond this the next block waits for the disk. */
const unflushedMaxBytes = 32 * 1024 ** 2;

export interface KvStoreOptions {
  readonly directory: string;
  /** The file may not grow beyond this; also the address space that is reserved for it. */
  readonly fileMaxBytes?: number;
  /** Writing stops before the disk has less than this left. */
  readonly freeMinBytes?: number;
  /** A block reaches the disk at most this long after it was executed. */
  readonly flushDelayMs?: number;
}

export interface KvValue {
  readonly value: Uint8Array;
  /** The block that wrote it last. */
  readonly height: number;
}

/** A block that was executed, and the state after it. */
export interface KvResult {
  readonly txsHash: Uint8Array;
  readonly prevAppHash: Uint8Array;
  readonly appHash: Uint8Array;
}

export interface KvBlockWrites {
  readonly height: number;
  readonly result: KvResult;
  readonly values: Iterable<readonly [key: Uint8Array, value: Uint8Array]>;
  readonly nodes: Iterable<readonly [place: Uint8Array, node: Uint8Array]>;
}

export class KvStore {
  readonly path: string;
  readonly #environment: Environment;
  readonly #flusher: Flusher;
  readonly #meta: PendingTable;
  readonly #state: PendingTable;
  readonly #tree: PendingTable;
  readonly #results: PendingTable;
  #unflushedBytes = 0;
  #closing: Promise<void> | null = null;

  /** Opens or creates the file. Throws StorageError if it cannot be used, ExecutionError if it is newer. */
  constructor(options: KvStoreOptions) {
    const { directory } = options;
    ensureDirectory(directory);
    this.#environment = new Environment({
      directory,
      fileName,
      tables: tableNames,
      space: {
        fileMaxBytes: options.fileMaxBytes ?? fileMaxBytesDefault,
        freeMinBytes: options.freeMinBytes ?? freeMinBytesDefault,
      },
    });
    this.path = this.#environment.path;
    this.#meta = new PendingTable(this.#environment.table("meta"));
    this.#state = new PendingTable(this.#environment.table("state"));
    this.#tree = new PendingTable(this.#environment.table("tree"));
    this.#results = new PendingTable(this.#environment.table("results"));
    const delayMs = options.flushDelayMs ?? flushDelayMsDefault;
    this.#flusher = new Flusher(() => this.#flush(), delayMs);
    const format = this.#format();
    if (format === null || format === formatVersion) return;
    void this.#environment.close();
    throw newer(this.path, format);
  }

  /** Null before the first `begin`. */
  genesis(): GenesisParameters | null {
    const record = this.#read(this.#meta, textKey("genesis"), "genesis");
    if (record === null) return null;
    const genesis = {
      chainId: record.text(),
      initialHeight: record.count(),
      genesisTimeNs: record.u64(),
    };
    record.end();
    return genesis;
  }

  /** Null before the first block. */
  head(): ExecutionHead | null {
    const record = this.#read(this.#meta, textKey("head"), "head");
    if (record === null) return null;
    const head = { height: record.count(), appHash: record.bytes() };
    record.end();
    return head;
  }

  value(key: Uint8Array): KvValue | null {
    const record = this.#read(this.#state, key, Buffer.from(key).toString("hex"));
    if (record === null) return null;
    const height = record.count();
    const value = record.bytes();
    record.end();
    return { value, height };
  }

  result(height: number): KvResult | null {
    const record = this.#read(this.#results, heightKey(height), height);
    if (record === null) return null;
    const result = {
      txsHash: record.bytes(),
      prevAppHash: record.bytes(),
      appHash: record.bytes(),
    };
    record.end();
    return result;
  }

  /** Throws StorageError if the node is missing: the tree names only what was written. */
  treeNode(place: Uint8Array): Uint8Array {
    const name = Buffer.from(place).toString("hex");
    const record = this.#read(this.#tree, place, name);
    if (record === null) throw corrupt(this.#tree.place(name), "is missing");
    const node = record.bytes();
    record.end();
    return node;
  }

  /** Records the chain that the state belongs to. Durable when it resolves. */
  async begin(genesis: GenesisParameters): Promise<void> {
    this.#checkUsable();
    const record = new RecordWriter()
      .text(genesis.chainId)
      .count(genesis.initialHeight)
      .u64(genesis.genesisTimeNs)
      .finish();
    this.#meta.put(textKey("format"), new RecordWriter().u32(formatVersion).finish());
    this.#meta.put(textKey("genesis"), record);
    await this.#flusher.now();
  }

  /**
   * Everything that a block changed, and the new head: on disk with all of it or nothing of it. Waits
   * only while too much is on its way to the disk. Rejects once the disk has failed.
   */
  async addBlock({ height, result, values, nodes }: KvBlockWrites): Promise<void> {
    this.#checkUsable();
    for (const [key, value] of values) {
      this.#put(this.#state, key, new RecordWriter().count(height).bytes(value).finish());
    }
    for (const [place, node] of nodes) {
      this.#put(this.#tree, place, new RecordWriter().bytes(node).finish());
    }
    this.#put(this.#results, heightKey(height), encodeResult(result));
    if (height > resultsKept) this.#results.remove(heightKey(height - resultsKept));
    const head = new RecordWriter().count(height).bytes(result.appHash).finish();
    this.#put(this.#meta, textKey("head"), head);
    this.#flusher.soon();
    if (this.#unflushedBytes > unflushedMaxBytes) await this.#flusher.now();
  }

  /** Resolves once everything before it is on disk. */
  async flushed(): Promise<void> {
    this.#checkUsable();
    await this.#flusher.now();
  }

  /** Writes what is waiting, and closes. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#flusher.now();
    } finally {
      await this.#environment.close();
    }
  }

  #checkUsable(): void {
    this.#flusher.check();
    if (this.#closing !== null) throw this.#environment.closedError();
  }

  #put(table: PendingTable, key: Uint8Array, record: Uint8Array): void {
    this.#unflushedBytes += record.length;
    table.put(key, record);
  }

  /** Blocks are added without a wait in between, so this finds all of a block or nothing of it. */
  async #flush(): Promise<void> {
    const tables = [this.#meta, this.#state, this.#tree, this.#results];
    const sizeBytes = tables.reduce((sum, table) => sum + table.depart(overheadBytes), 0);
    this.#unflushedBytes = 0;
    if (sizeBytes === 0) return;
    await this.#environment.commit(sizeBytes, () => {
      for (const table of tables) table.write();
    });
    for (const table of tables) table.arrived();
  }

  #format(): number | null {
    const record = this.#read(this.#meta, textKey("format"), "format");
    return record === null ? null : record.u32();
  }

  #read(table: PendingTable, key: Uint8Array, name: string | number): RecordReader | null {
    const bytes = table.get(key, name);
    return bytes === null ? null : new RecordReader(bytes, table.place(name));
  }
}

function encodeResult(result: KvResult): Uint8Array {
  const { txsHash, prevAppHash, appHash } = result;
  return new RecordWriter().bytes(txsHash).bytes(prevAppHash).bytes(appHash).finish();
}

function textKey(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Big endian, so that keys sort as heights do. */
function heightKey(height: number): Uint8Array {
  assert(Number.isSafeInteger(height) && height > 0, "an executed height is positive", { height });
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, BigInt(height));
  return key;
}
