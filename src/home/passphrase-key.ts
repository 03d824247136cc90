/** From a passphrase to the key that encrypts signer.json: Argon2id, with ev-node's cost (2.2). */

import * as crypto from "node:crypto";
import { argon2idAsync } from "@noble/hashes/argon2.js";
import { assert } from "../base/assert.ts";

export const keyBytes = 32;
const passes = 3;
const memoryKiB = 32 * 1024;
const lanes = 4;

/** The AES key of `passphrase`. Takes a tenth of a second where Node has Argon2, else about one. */
export async function deriveKey(passphrase: Uint8Array, salt: Uint8Array): Promise<Uint8Array> {
  const native: unknown = Reflect.get(crypto, "argon2");
  if (isArgon2(native)) return await deriveNatively(native, passphrase, salt);
  return await deriveInJavaScript(passphrase, salt);
}

/** For Node before 24.7, which has no Argon2. */
export async function deriveInJavaScript(
  passphrase: Uint8Array,
  salt: Uint8Array,
): Promise<Uint8Array> {
  return await argon2idAsync(passphrase, salt, {
    t: passes,
    m: memoryKiB,
    p: lanes,
    dkLen: keyBytes,
  });
}

/** How the first releases made the key, without a salt: the passphrase itself, stretched by XOR. */
export function deriveLegacyKey(passphrase: Uint8Array): Uint8Array {
  assert(passphrase.length > 0, "a passphrase is not empty");
  const key = new Uint8Array(keyBytes);
  for (let at = 0; at < keyBytes; at++) {
    const byte = passphrase[at % passphrase.length] ?? 0;
    key[at] = at < passphrase.length ? byte : byte ^ at;
  }
  return key;
}

/** node:crypto's argon2 as of Node 24.7; the types of Node 22 do not know it. */
type Argon2 = (
  algorithm: "argon2id",
  parameters: {
    readonly message: Uint8Array;
    readonly nonce: Uint8Array;
    readonly parallelism: number;
    readonly tagLength: number;
    readonly memory: number;
    readonly passes: number;
  },
  done: (error: Error | null, key: Uint8Array) => void,
) => void;

function isArgon2(value: unknown): value is Argon2 {
  return typeof value === "function";
}

function deriveNatively(
  argon2: Argon2,
  message: Uint8Array,
  nonce: Uint8Array,
): Promise<Uint8Array> {
  const parameters = {
    message,
    nonce,
    parallelism: lanes,
    tagLength: keyBytes,
    memory: memoryKiB,
    passes,
  };
  return new Promise((resolve, reject) => {
    argon2("argon2id", parameters, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}
