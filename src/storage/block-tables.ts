/** `blocks.mdb`: which tables it has, what their keys are, and how its state is read back. */

import { toHex } from "../base/bytes.ts";
import type { Height, StoredBlock } from "../block/types.ts";
import { decodeBlock, decodeHash, decodeHeight } from "./block-codec.ts";
import type { Environment } from "./environment.ts";
import { corrupt } from "./errors.ts";
import { numberFromKey, numberKey, textKey } from "./keys.ts";
import { foreign, wrongVersion } from "./mdb-header.ts";
import type { SigningMark } from "./signing-marks.ts";
import { decodeFormat, encodeFormat } from "./stable-codec.ts";
import type { Table } from "./table.ts";

export const blockFileName = "blocks.mdb";

const names = ["meta", "blocks", "hashes", "txs", "txHeights", "signed", "kept"] as const;
export const blockTableNames: readonly string[] = names;

const product = "ev-sequencer blocks";
const formatVersion = 1;

export const formatKey = "format";
export const chainKey = "chain";
/** Identities at this height and below are out of the window, and removed. */
export const prunedThroughKey = "txsPrunedThrough";

export type BlockTables = {
  /**
   * `meta` name -> record; `blocks` height -> block; `hashes` block hash -> height; `txs` identity ->
   * location; `txHeights` height -> its identities; `signed` height -> hash; `kept` number -> transaction.
   */
  readonly [name in (typeof names)[number]]: Table;
};

export function blockTables(environment: Environment): BlockTables {
  return {
    meta: environment.table("meta"),
    blocks: environment.table("blocks"),
    hashes: environment.table("hashes"),
    txs: environment.table("txs"),
    txHeights: environment.table("txHeights"),
    signed: environment.table("signed"),
    kept: environment.table("kept"),
  };
}

/** Whether the file was just created. Throws on a file of another kind. */
export function isNewBlockFile({ meta, blocks }: BlockTables, path: string): boolean {
  const bytes = meta.get(textKey(formatKey), formatKey);
  if (bytes === null) {
    if (meta.size > 0 || blocks.size > 0) throw foreign(path);
    return true;
  }
  const format = decodeFormat(bytes, meta.place(formatKey));
  if (format.product !== product) throw foreign(path);
  if (format.version !== formatVersion) throw wrongVersion(path, format.version);
  return false;
}

export function blockFormatRecord(incarnation: Uint8Array): Uint8Array {
  return encodeFormat({ product, version: formatVersion, incarnation });
}

export interface StoredHeights {
  readonly earliest: Height;
  readonly latest: Height;
}

/** The range of stored blocks; null without any. Throws STORAGE_CORRUPT if one in it is missing. */
export function readHeights({ blocks }: BlockTables): StoredHeights | null {
  const [first, last] = [blocks.firstKey(), blocks.lastKey()];
  if (first === null || last === null) return null;
  const [earliest, latest] = [numberFromKey(first), numberFromKey(last)];
  if (earliest === null || latest === null) throw corrupt(blocks.place("key"), "is no height");
  if (blocks.size !== latest - earliest + 1) {
    const range = blocks.place(`${earliest}..${latest}`);
    throw corrupt(range, `holds ${blocks.size} blocks, so some are missing`);
  }
  return { earliest, latest };
}

export function readBlock({ blocks }: BlockTables, height: Height): StoredBlock | null {
  const bytes = blocks.get(numberKey(height), height);
  return bytes === null ? null : decodeBlock(bytes, height, blocks.place(height));
}

/** A block hash is a key; anything longer than any hash is found nowhere. */
const hashMaxBytes = 64;

export function readHeightOf({ hashes }: BlockTables, hash: Uint8Array): Height | null {
  if (hash.length === 0 || hash.length > hashMaxBytes) return null;
  const name = `0x${toHex(hash)}`;
  const bytes = hashes.get(hash, name);
  return bytes === null ? null : decodeHeight(bytes, hashes.place(name));
}

export function readMarks({ signed }: BlockTables): readonly SigningMark[] {
  return [...signed.entries()].map(({ key, value }) => {
    const height = numberFromKey(key);
    if (height === null) throw corrupt(signed.place("key"), "is no height");
    return { height, hash: decodeHash(value, signed.place(height)) };
  });
}

/** Null before anything was pruned. */
export function readPrunedThrough({ meta }: BlockTables): Height | null {
  const bytes = meta.get(textKey(prunedThroughKey), prunedThroughKey);
  return bytes === null ? null : decodeHeight(bytes, meta.place(prunedThroughKey));
}
