/** Keys as LMDB sorts them: a number is eight bytes big-endian, so that byte order is number order. */

import { assert } from "../base/assert.ts";

const numberKeyBytes = 8;

export function numberKey(value: number): Uint8Array {
  assert(Number.isSafeInteger(value) && value >= 0, "a key is a safe integer", { value });
  // Not through a DataView, which would take so small an array off V8's heap: there is one an entry.
  const key = new Uint8Array(numberKeyBytes);
  const high = Math.floor(value / 2 ** 32);
  const low = value >>> 0;
  for (let at = 0; at < 4; at++) {
    key[at] = high >>> (24 - 8 * at);
    key[at + 4] = low >>> (24 - 8 * at);
  }
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
