/** What identifies headers and data: SHA-256 over their canonical encodings. */

import { createHash, hash } from "node:crypto";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { concatBytes } from "../base/bytes.ts";
import { encodeData, encodeHeader } from "./codec.ts";
import { hasAny } from "./legacy.ts";
import type { Data, Header } from "./types.ts";

export interface DataHashes {
  /** Over the transactions alone: the header's `dataHash`, and what goes to the DA layer. */
  readonly commitment: Uint8Array;
  /** With the metadata: the next block's `lastDataHash`. */
  readonly hash: Uint8Array;
}

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  // One call into OpenSSL instead of three. Most inputs are short, and copying them is cheaper.
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length <= copiedMaxBytes) return new Uint8Array(hash("sha256", join(parts), "buffer"));
  const running = createHash("sha256");
  for (const part of parts) running.update(part);
  return new Uint8Array(running.digest());
}

const copiedMaxBytes = 4096;

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [only, second] = parts;
  return only !== undefined && second === undefined ? only : concatBytes(parts);
}

/** A Merkle leaf's prefix, left from when the data hash was a tree over chunks. */
const leafPrefix = Uint8Array.of(0);

/** The `dataHash` of a block without transactions. */
export const emptyDataHash: Uint8Array = sha256(leafPrefix);

export function headerHash(header: Header): Uint8Array {
  return sha256(isLegacy(header) ? encodeLegacyHeader(header) : encodeHeader(header));
}

/** Both hashes of a block's data, from one encoding of its transactions. */
export function dataHashes(data: Data): DataHashes {
  // Fields are written in order, so the encoding is the metadata's field followed by the transactions.
  const metadata = encodeData({ metadata: data.metadata, txs: [] });
  const txs = encodeData({ metadata: null, txs: data.txs });
  return { commitment: sha256(leafPrefix, txs), hash: sha256(leafPrefix, metadata, txs) };
}

/** True of a header of ev-node's first releases. */
export function isLegacy(header: Header): boolean {
  return header.legacy !== undefined && hasAny(header.legacy);
}

/**
 * The encoding of the first releases: every field in the order of its number, legacy ones included;
 * version, height and time are always written, and so is the consensus hash, with zeros for an empty one.
 */
export function encodeLegacyHeader(header: Header): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).fork();
  if (header.version.block !== 0) writer.tag(1, WireType.Varint).uint64(header.version.block);
  if (header.version.app !== 0) writer.tag(2, WireType.Varint).uint64(header.version.app);
  writer.join();
  writer.tag(2, WireType.Varint).uint64(header.height);
  writer.tag(3, WireType.Varint).uint64(header.timeNs);
  const bytes = (field: number, value: Uint8Array | undefined) => {
    if (value === undefined || value.length === 0) return;
    writer.tag(field, WireType.LengthDelimited).bytes(value);
  };
  const consensusHash = header.legacy?.consensusHash;
  bytes(4, header.lastHeaderHash);
  bytes(5, header.legacy?.lastCommitHash);
  bytes(6, header.dataHash);
  bytes(7, consensusHash === undefined || consensusHash.length === 0 ? zeroHash : consensusHash);
  bytes(8, header.appHash);
  bytes(9, header.legacy?.lastResultsHash);
  bytes(10, header.proposerAddress);
  bytes(11, header.validatorHash);
  if (header.chainId !== "") writer.tag(12, WireType.LengthDelimited).string(header.chainId);
  return writer.finish();
}

const zeroHash = new Uint8Array(32);
