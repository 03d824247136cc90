/** Keys as LMDB sorts them: a number is eight bytes big-endian, so that byte order is number order. */

import { assert } from "../base/assert.ts";

const numberKeyBytes = 8;

export function numberKey(value: number): Uint8Array {
  assert(Number.isSafeInteger(value) && value >= 0, "a key is a safe integer", { value });
  const key = new Uint8Array(numberKeyBytes);
  new DataView(key.buffer).setBigUint64(0, BigInt(value));
  return key;
}

/** The number in `key`; null if it is none of ours. */
export function numberFromKey(key: Uint8Array): number | null {
  if (key.length !== numberKeyBytes) return null;
  const value = new DataView(key.buffer, key.byteOffset, key.length).getBigUint64(0);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : null;
}

export function textKey(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
