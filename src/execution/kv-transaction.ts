/** Transactions of the `kv` executor: `key=value` in bytes. The first `=` splits; a value may be empty. */

import { concatBytes } from "../base/bytes.ts";

/** The index orders keys in pages, and a key has to fit several times into one. */
export const keyMaxBytes = 1024;

export const valueMaxBytes = 1024 * 1024;

export type KvTransaction =
  | { readonly kind: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  /** In a block it does nothing, on every node alike. */
  | { readonly kind: "malformed"; readonly reason: string };

const equalsSign = 0x3d;

export function parseKvTransaction(tx: Uint8Array): KvTransaction {
  const at = tx.indexOf(equalsSign);
  if (at < 0) return malformed("a transaction must be key=value, and this one has no =");
  if (at === 0) return malformed("the key before the = is empty");
  if (at > keyMaxBytes)
    return malformed(`the key has ${at} bytes, at most ${keyMaxBytes} are allowed`);
  const valueBytes = tx.length - at - 1;
  if (valueBytes > valueMaxBytes) {
    return malformed(`the value has ${valueBytes} bytes, at most ${valueMaxBytes} are allowed`);
  }
  return { kind: "put", key: tx.subarray(0, at), value: tx.subarray(at + 1) };
}

/** `key=value`; null if that would be read as another key. */
export function formatKvTransaction(key: Uint8Array, value: Uint8Array): Uint8Array | null {
  if (key.includes(equalsSign)) return null;
  return concatBytes([key, Uint8Array.of(equalsSign), value]);
}

function malformed(reason: string): KvTransaction {
  return { kind: "malformed", reason };
}
