/** The 64-byte private key of Go and libp2p, which is the seed followed by the public key. */

import type { KeyObject } from "node:crypto";
import { concatBytes, equalBytes } from "../base/bytes.ts";
import { privateKeyFromSeed, rawPublicKey, seedBytes, seedOf } from "../block/ed25519.ts";

/** Without and with the second copy of the public key that old libp2p versions append. */
export const rawPrivateKeyLengths: readonly number[] = [64, 96];

/** A private key in the forms that its users want. */
export interface KeyPair {
  /** For node:crypto. */
  readonly privateKey: KeyObject;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  const privateKey = privateKeyFromSeed(seed);
  return { privateKey, publicKey: rawPublicKey(privateKey) };
}

/** Null unless `raw` is a private key whose halves belong together. */
export function keyPairFromRaw(raw: Uint8Array): KeyPair | null {
  if (!rawPrivateKeyLengths.includes(raw.length)) return null;
  const pair = keyPairFromSeed(raw.subarray(0, seedBytes));
  for (let at = seedBytes; at < raw.length; at += seedBytes) {
    if (!equalBytes(raw.subarray(at, at + seedBytes), pair.publicKey)) return null;
  }
  return pair;
}

/** 64 bytes. A secret: for libp2p and for the export command, never for a log. */
export function rawPrivateKey({ privateKey, publicKey }: KeyPair): Uint8Array {
  return concatBytes([seedOf(privateKey), publicKey]);
}
