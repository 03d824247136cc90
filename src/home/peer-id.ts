/** libp2p's name for an Ed25519 key: base58 of an identity multihash over its PublicKey message. */

import { concatBytes, equalBytes } from "../base/bytes.ts";
import { libp2pPublicKey, publicKeyBytes, rawFromLibp2p } from "../block/ed25519.ts";

const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/** The identity multihash of the 36 bytes that follow. */
const multihashPrefix = Uint8Array.of(0x00, 0x24);
/** 38 bytes take 52 characters; a longer text need not be read. */
const lengthMax = 64;

/** The peer id of a raw public key: `12D3KooW...`. */
export function peerIdFromPublicKey(rawKey: Uint8Array): string {
  return toBase58(concatBytes([multihashPrefix, libp2pPublicKey(rawKey)]));
}

/** The raw public key in a peer id; null if it is not one of an Ed25519 key. */
export function publicKeyFromPeerId(peerId: string): Uint8Array | null {
  const bytes = fromBase58(peerId);
  if (bytes === null) return null;
  const { length } = multihashPrefix;
  if (!equalBytes(bytes.subarray(0, length), multihashPrefix)) return null;
  const raw = rawFromLibp2p(bytes.subarray(length));
  return raw?.length === publicKeyBytes ? raw : null;
}

/** Leading zero bytes become leading ones, the rest is a number in base 58 (Bitcoin's alphabet). */
export function toBase58(bytes: Uint8Array): string {
  let value = 0n;
  for (const byte of bytes) value = value * 256n + BigInt(byte);
  let text = "";
  for (; value > 0n; value /= 58n) text = alphabet.charAt(Number(value % 58n)) + text;
  return "1".repeat(leading(bytes, 0)) + text;
}

/** Null if the text is not base 58, or longer than any peer id. */
export function fromBase58(text: string): Uint8Array | null {
  if (text.length > lengthMax) return null;
  let value = 0n;
  for (const character of text) {
    const digit = alphabet.indexOf(character);
    if (digit < 0) return null;
    value = value * 58n + BigInt(digit);
  }
  const bytes: number[] = [];
  for (; value > 0n; value /= 256n) bytes.unshift(Number(value % 256n));
  return concatBytes([new Uint8Array(leading([...text], "1")), Uint8Array.from(bytes)]);
}

function leading<T>(items: ArrayLike<T>, zero: T): number {
  let count = 0;
  while (count < items.length && items[count] === zero) count++;
  return count;
}
