/** Ed25519 keys: raw bytes to node:crypto's key objects and back, and the libp2p form of a public key. */

import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { assert } from "../base/assert.ts";
import { concatBytes, equalBytes } from "../base/bytes.ts";

export const seedBytes = 32;
export const publicKeyBytes = 32;
export const signatureBytes = 64;

// node:crypto takes keys in DER. For Ed25519 that is a fixed prefix and the 32 bytes (RFC 8410).
const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");

/** libp2p's PublicKey message of type Ed25519, up to the key: `08 01`, then `12 20` and 32 bytes. */
const libp2pPrefix = Uint8Array.of(0x08, 0x01, 0x12, publicKeyBytes);

/** The private key of a 32-byte seed (RFC 8032). */
export function privateKeyFromSeed(seed: Uint8Array): KeyObject {
  assert(seed.length === seedBytes, "an Ed25519 seed has 32 bytes", { length: seed.length });
  const key = Buffer.concat([pkcs8Prefix, seed]);
  return createPrivateKey({ key, format: "der", type: "pkcs8" });
}

export function publicKeyFromRaw(raw: Uint8Array): KeyObject {
  assert(raw.length === publicKeyBytes, "an Ed25519 public key has 32 bytes", {
    length: raw.length,
  });
  return createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: "der", type: "spki" });
}

/** The 32 bytes of the public key of `key`, which may be private. */
export function rawPublicKey(key: KeyObject): Uint8Array {
  assert(key.asymmetricKeyType === "ed25519", "the key is an Ed25519 key");
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  const der = publicKey.export({ format: "der", type: "spki" });
  return new Uint8Array(der.subarray(spkiPrefix.length));
}

/** The 32-byte seed of a private key. A secret: never log it. */
export function seedOf(privateKey: KeyObject): Uint8Array {
  assert(privateKey.asymmetricKeyType === "ed25519", "the key is an Ed25519 key");
  const der = privateKey.export({ format: "der", type: "pkcs8" });
  return new Uint8Array(der.subarray(pkcs8Prefix.length));
}

export function libp2pPublicKey(raw: Uint8Array): Uint8Array {
  assert(raw.length === publicKeyBytes, "an Ed25519 public key has 32 bytes");
  return concatBytes([libp2pPrefix, raw]);
}

/** The raw key in a libp2p PublicKey; null if it is not one of Ed25519. */
export function rawFromLibp2p(encoded: Uint8Array): Uint8Array | null {
  const prefix = encoded.subarray(0, libp2pPrefix.length);
  const raw = encoded.subarray(libp2pPrefix.length);
  return equalBytes(prefix, libp2pPrefix) && raw.length === publicKeyBytes ? raw : null;
}
