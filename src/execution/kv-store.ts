/**
 * What the `kv` executor keeps, in `<directory>/kv.mdb`:
 *
 *   meta      "format", "genesis", "head"
 *   state     key -> height of the last write, value
 *   tree      place -> node of the Merkle tree (kv-tree.ts)
 *   results   height -> what was executed and what came of it, for the newest heights
 *
 * A block's writes are one transaction. Every record has a checksum: a flipped bit is a StorageError.
 */

import { assert } from "../base/assert.ts";
import { ensureDirectory } from "../storage/disk.ts";
import { Environment } from "../storage/environment.ts";
import { corrupt } from "../storage/errors.ts";
import { RecordReader, RecordWriter } from "../storage/record.ts";
import type { Table } from "../storage/table.ts";
import { newer } from "./errors.ts";
import type { ExecutionHead, GenesisParameters } from "./executor.ts";

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

export interface KvStoreOptions {
  readonly directory: string;
  /** The file may not grow beyond this; also the address space that is reserved for it. */
  readonly fileMaxBytes?: number;
  /** Writing stops before the disk has less than this left. */
  readonly freeMinBytes?: number;
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
  readonly #meta: Table;
  readonly #state: Table;
  readonly #tree: Table;
  readonly #results: Table;

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
    this.#meta = this.#environment.table("meta");
    this.#state = this.#environment.table("state");
    this.#tree = this.#environment.table("tree");
    this.#results = this.#environment.table("results");
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

  /** Records the chain that the state belongs to. */
  async begin(genesis: GenesisParameters): Promise<void> {
    const format = new RecordWriter().u32(formatVersion).finish();
    const record = new RecordWriter()
      .text(genesis.chainId)
      .count(genesis.initialHeight)
      .u64(genesis.genesisTimeNs)
      .finish();
    await this.#environment.commit(overheadBytes, () => {
      this.#meta.put(textKey("format"), format);
      this.#meta.put(textKey("genesis"), record);
    });
  }

  /** Everything that a block changed, and the new head, in one transaction. */
  async commitBlock({ height, result, values, nodes }: KvBlockWrites): Promise<void> {
    const writes: [Table, Uint8Array, Uint8Array][] = [];
    for (const [key, value] of values) {
      writes.push([this.#state, key, new RecordWriter().count(height).bytes(value).finish()]);
    }
    for (const [place, node] of nodes) {
      writes.push([this.#tree, place, new RecordWriter().bytes(node).finish()]);
    }
    const head = new RecordWriter().count(height).bytes(result.appHash).finish();
    writes.push([this.#meta, textKey("head"), head]);
    writes.push([this.#results, heightKey(height), encodeResult(result)]);
    const sizeBytes = writes.reduce((sum, [, , value]) => sum + value.length + overheadBytes, 0);
    await this.#environment.commit(sizeBytes, () => {
      for (const [table, key, value] of writes) table.put(key, value);
      if (height > resultsKept) this.#results.remove(heightKey(height - resultsKept));
    });
  }

  /** Waits for the commit in flight. May be called twice. */
  async close(): Promise<void> {
    await this.#environment.close();
  }

  #format(): number | null {
    const record = this.#read(this.#meta, textKey("format"), "format");
    return record === null ? null : record.u32();
  }

  #read(table: Table, key: Uint8Array, name: string | number): RecordReader | null {
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
