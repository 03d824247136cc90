/** Names of the protocols, and the message of the one that is ours. */

import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { BlockError, badField, malformed, overLimit } from "../block/errors.ts";
import { chainIdMaxBytes } from "../block/limits.ts";
import type { BlockReader, Height } from "../block/types.ts";

/** What a peer can be asked for; each has a protocol of its own. */
export type ItemKind = "headers" | "data";

/** go-header's protocol for one kind of item of one chain. */
export function exchangeProtocol(chainId: string, kind: ItemKind): string {
  return `/${chainId}-${kind === "headers" ? "headerSync" : "dataSync"}/header-ex/v0.0.3`;
}

/**
 * Ours: whoever opens a stream is told which blocks it can get, in one frame. go-header answers NOT_FOUND
 * alike for a block that is pruned and for one that is not there yet; an ev-node does not know this protocol.
 */
export const servedProtocol = "/ev-sequencer/info/1";

/** What a peer serves. */
export interface Served {
  readonly chainId: string;
  /** Null without blocks. */
  readonly blocks: { readonly earliestHeight: Height; readonly headHeight: Height } | null;
}

export const servedMaxBytes = chainIdMaxBytes + 64;

export function servedBy(chainId: string, reader: BlockReader): Served {
  const { earliestHeight, head } = reader;
  return {
    chainId,
    blocks: earliestHeight === null ? null : { earliestHeight, headHeight: head.height },
  };
}

/** Protobuf: 1 chain_id string, 2 earliest_height u64, 3 head_height u64; the heights only with blocks. */
export function encodeServed({ chainId, blocks }: Served): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).string(chainId);
  if (blocks !== null) {
    writer.tag(2, WireType.Varint).uint64(blocks.earliestHeight);
    writer.tag(3, WireType.Varint).uint64(blocks.headHeight);
  }
  return writer.finish();
}

/** Throws BlockError. Unknown fields are skipped: a later version may tell more. */
export function decodeServed(bytes: Uint8Array): Served {
  if (bytes.length > servedMaxBytes) {
    throw overLimit(what, "size in bytes", { limit: servedMaxBytes, got: bytes.length });
  }
  try {
    return readServed(new BinaryReader(bytes, (text) => strictUtf8.decode(text)));
  } catch (cause) {
    throw cause instanceof BlockError ? cause : malformed(what, cause);
  }
}

const what = "statement of the blocks served";

/** A chain is named by these bytes and by no others. */
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function readServed(reader: BinaryReader): Served {
  let chainId = "";
  let earliestHeight: Height | null = null;
  let headHeight: Height | null = null;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.LengthDelimited) chainId = reader.string();
    else if (field === 2 && wireType === WireType.Varint) earliestHeight = height(reader);
    else if (field === 3 && wireType === WireType.Varint) headHeight = height(reader);
    else reader.skip(wireType, field);
  }
  if (earliestHeight === null || headHeight === null) return { chainId, blocks: null };
  if (earliestHeight > headHeight) throw badField(what, "earliest_height", "is above head_height");
  return { chainId, blocks: { earliestHeight, headHeight } };
}

function height(reader: BinaryReader): Height {
  const value = Number(reader.uint64());
  if (!Number.isSafeInteger(value)) throw badField(what, "a height", "is beyond exact integers");
  return value;
}
