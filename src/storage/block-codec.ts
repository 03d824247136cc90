/** Blocks, and what is found by them, as records. A block holds its own height: a wrong key is noticed. */

import { decodeData, decodeSignedHeader, encodeData, encodeSignedHeader } from "../block/codec.ts";
import { BlockError } from "../block/errors.ts";
import type { Height, StoredBlock, TxLocation } from "../block/types.ts";
import { corrupt, type Place } from "./errors.ts";
import { RecordReader, RecordWriter } from "./record.ts";

export function encodeBlock(block: StoredBlock): Uint8Array {
  const writer = new RecordWriter()
    .count(block.height)
    .bytes(block.hash)
    .bytes(block.appHash)
    .count(block.raftIndex)
    .count(block.raftTerm)
    .bytes(encodeSignedHeader(block.header))
    .bytes(encodeData(block.data));
  return addIds(writer, block.txIds).finish();
}

/** Throws STORAGE_CORRUPT unless `bytes` are the block at `height` as it was written. */
export function decodeBlock(bytes: Uint8Array, height: Height, place: Place): StoredBlock {
  const reader = new RecordReader(bytes, place);
  const storedHeight = reader.count();
  if (storedHeight !== height) throw reader.malformed(`holds the block at ${storedHeight}`);
  const hash = reader.bytes();
  const appHash = reader.bytes();
  const raftIndex = reader.count();
  const raftTerm = reader.count();
  const header = decodePart(place, () => decodeSignedHeader(reader.bytes()));
  const data = decodePart(place, () => decodeData(reader.bytes()));
  const txIds = readIds(reader);
  reader.end();
  return { height, hash, header, data, txIds, appHash, raftIndex, raftTerm };
}

/** The hash of the block in `bytes`. Throws STORAGE_CORRUPT unless they are what was written for `height`. */
export function decodeBlockHash(bytes: Uint8Array, height: Height, place: Place): Uint8Array {
  const reader = new RecordReader(bytes, place);
  const storedHeight = reader.count();
  if (storedHeight !== height) throw reader.malformed(`holds the block at ${storedHeight}`);
  return reader.bytes();
}

export function encodeHeight(height: Height): Uint8Array {
  return new RecordWriter().count(height).finish();
}

export function decodeHeight(bytes: Uint8Array, place: Place): Height {
  const reader = new RecordReader(bytes, place);
  const height = reader.count();
  reader.end();
  return height;
}

export function encodeLocation({ height, index }: TxLocation): Uint8Array {
  return new RecordWriter().count(height).u32(index).finish();
}

export function decodeLocation(bytes: Uint8Array, place: Place): TxLocation {
  const reader = new RecordReader(bytes, place);
  const location = { height: reader.count(), index: reader.u32() };
  reader.end();
  return location;
}

export function encodeIds(ids: readonly Uint8Array[]): Uint8Array {
  return addIds(new RecordWriter(), ids).finish();
}

export function decodeIds(bytes: Uint8Array, place: Place): readonly Uint8Array[] {
  const reader = new RecordReader(bytes, place);
  const ids = readIds(reader);
  reader.end();
  return ids;
}

export function encodeHash(hash: Uint8Array): Uint8Array {
  return new RecordWriter().bytes(hash).finish();
}

export function decodeHash(bytes: Uint8Array, place: Place): Uint8Array {
  const reader = new RecordReader(bytes, place);
  const hash = reader.bytes();
  reader.end();
  return hash;
}

/** A transaction that this node has accepted and still has to get committed. */
export interface KeptTx {
  readonly txId: Uint8Array;
  readonly tx: Uint8Array;
}

export function encodeKeptTx({ txId, tx }: KeptTx): Uint8Array {
  return new RecordWriter().bytes(txId).bytes(tx).finish();
}

export function decodeKeptTx(bytes: Uint8Array, place: Place): KeptTx {
  const reader = new RecordReader(bytes, place);
  const kept = { txId: reader.bytes(), tx: reader.bytes() };
  reader.end();
  return kept;
}

function addIds(writer: RecordWriter, ids: readonly Uint8Array[]): RecordWriter {
  writer.u32(ids.length);
  for (const id of ids) writer.bytes(id);
  return writer;
}

function readIds(reader: RecordReader): readonly Uint8Array[] {
  const ids: Uint8Array[] = [];
  for (let left = reader.u32(); left > 0; left--) ids.push(reader.bytes());
  return ids;
}

/** What the block codec refuses is damage here: it was a block when it was written. */
function decodePart<T>(place: Place, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof BlockError) throw corrupt(place, "is no block", error);
    throw error;
  }
}
