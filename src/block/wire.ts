/** Protobuf at the edge: generated messages in, checked numbers and plain byte arrays out. */

import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { assert } from "../base/assert.ts";
import { badField, malformed, overLimit } from "./errors.ts";
import { hashMaxBytes } from "./limits.ts";

/** Names the message and the field in errors. */
export interface Place {
  readonly what: string;
  readonly field: string;
}

/**
 * The message in `bytes`, in any field order. Its byte fields share memory with `bytes`.
 * Throws BlockError if it is none, or larger than `maxBytes`.
 */
export function parse<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
  options: {
    readonly what: string;
    readonly maxBytes: number;
    readonly readUnknownFields?: boolean;
  },
): MessageShape<Desc> {
  const { what, maxBytes, readUnknownFields = false } = options;
  if (bytes.length > maxBytes) {
    throw overLimit(what, "size in bytes", { limit: maxBytes, got: bytes.length });
  }
  try {
    return fromBinary(schema, plain(bytes), { readUnknownFields });
  } catch (cause) {
    throw malformed(what, cause);
  }
}

/** A u64 that we count with. Throws BlockError beyond 2^53, where numbers stop being exact. */
export function toCount(value: bigint, { what, field }: Place): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw badField(what, field, `is ${value}, beyond the exact integers`);
  }
  return Number(value);
}

/** A number of ours as u64. */
export function fromCount(value: number, field: string): bigint {
  assert(Number.isSafeInteger(value) && value >= 0, "a counted field is exact", { field, value });
  return BigInt(value);
}

/** `bytes`, which are a hash, a key or a signature. Throws BlockError if they are too long for one. */
export function short(bytes: Uint8Array, { what, field }: Place): Uint8Array {
  if (bytes.length <= hashMaxBytes) return bytes;
  throw overLimit(what, `the length of ${field}`, { limit: hashMaxBytes, got: bytes.length });
}

/**
 * Refuses a message with more than `limit` elements in a repeated bytes field, before an object is
 * made for each. An element takes two bytes at least (a tag of one byte), so small messages pass unread.
 */
export function limitElements(
  bytes: Uint8Array,
  fieldNumber: number,
  { what, field, limit }: Place & { readonly limit: number },
): void {
  if (bytes.length <= limit * 2) return;
  let count = 0;
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      reader.skip(wireType, number);
      if (number === fieldNumber) count++;
    }
  } catch (cause) {
    throw malformed(what, cause);
  }
  if (count > limit) throw overLimit(what, `the number of ${field}`, { limit, got: count });
}

/** Without Buffer's ways: its subarrays would be Buffers, too. */
function plain(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
