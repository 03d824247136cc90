/**
 * signer.json: the chain's signing key, encrypted under a passphrase. All
 * members of a cluster share it, since every header names its address.
 */

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { concatBytes, equalBytes } from "../base/bytes.ts";
import { publicKeyBytes, seedBytes } from "../block/ed25519.ts";
import { emptyPassphrase, fieldError, wrongPassphrase } from "./errors.ts";
import { JsonFields, toBase64 } from "./json.ts";
import { deriveKey, deriveLegacyKey } from "./passphrase-key.ts";
import { readText, writePrivateFile } from "./private-file.ts";
import {
  type KeyPair,
  keyPairFromRaw,
  keyPairFromSeed,
  rawPrivateKey,
  rawPrivateKeyLengths,
} from "./raw-key.ts";

/** Text counts as its UTF-8 bytes. Trimming what a file holds is the reader's business. */
export type Passphrase = string | Uint8Array;

const cipherName = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;
const saltBytes = 16;
const advice = "Copy signer.json from another member of the cluster, or run evm init to make one";

/** Makes a new key. Throws HomeError, HOME_EXISTS if there is a signer already. */
export async function createSigner(path: string, passphrase: Passphrase): Promise<KeyPair> {
  const pair = keyPairFromSeed(randomBytes(seedBytes));
  await writeSigner(path, pair, { passphrase, overwrite: false });
  return pair;
}

/** Encrypts and writes a key that exists. Throws HomeError, HOME_EXISTS unless `overwrite`. */
export async function writeSigner(
  path: string,
  pair: KeyPair,
  options: { readonly passphrase: Passphrase; readonly overwrite: boolean },
): Promise<void> {
  const text = await encryptSigner(path, pair, {
    passphrase: options.passphrase,
    salt: randomBytes(saltBytes),
    nonce: randomBytes(nonceBytes),
  });
  await writePrivateFile(path, text, { overwrite: options.overwrite });
}

/** Decrypts the key. Throws HomeError: HOME_PASSPHRASE if the passphrase is not the one. */
export async function openSigner(path: string, passphrase: Passphrase): Promise<KeyPair> {
  return await decryptSigner(path, await readText(path, advice), passphrase);
}

/** The public key, for which no passphrase is needed. */
export async function readSignerPublicKey(path: string): Promise<Uint8Array> {
  const fields = new JsonFields(path, await readText(path, advice), advice);
  return fields.bytesOf("pub_key", [publicKeyBytes]);
}

/** The text of signer.json. Salt and nonce must be fresh and random. */
export async function encryptSigner(
  path: string,
  pair: KeyPair,
  secrets: {
    readonly passphrase: Passphrase;
    readonly salt: Uint8Array;
    readonly nonce: Uint8Array;
  },
): Promise<string> {
  const key = await deriveKey(passphraseBytes(path, secrets.passphrase), secrets.salt);
  const cipher = createCipheriv(cipherName, key, secrets.nonce, { authTagLength: tagBytes });
  const plain = rawPrivateKey(pair);
  const encrypted = concatBytes([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  plain.fill(0);
  key.fill(0);
  return JSON.stringify({
    priv_key_encrypted: toBase64(encrypted),
    nonce: toBase64(secrets.nonce),
    pub_key: toBase64(pair.publicKey),
    salt: toBase64(secrets.salt),
  });
}

export async function decryptSigner(
  path: string,
  text: string,
  passphrase: Passphrase,
): Promise<KeyPair> {
  const fields = new JsonFields(path, text, advice);
  const lengths = rawPrivateKeyLengths.map((length) => length + tagBytes);
  const encrypted = fields.bytesOf("priv_key_encrypted", lengths);
  const nonce = fields.bytesOf("nonce", [nonceBytes]);
  const publicKey = fields.bytesOf("pub_key", [publicKeyBytes]);
  // Without a salt the file is one of the first releases, whose key is no Argon2.
  const hasSalt = (fields.bytes("salt")?.length ?? 0) > 0;
  const salt = hasSalt ? fields.bytesOf("salt", [saltBytes]) : null;
  const secret = passphraseBytes(path, passphrase);
  const key = salt === null ? deriveLegacyKey(secret) : await deriveKey(secret, salt);
  const raw = decrypt(path, { key, nonce, encrypted });
  const pair = keyPairFromRaw(raw);
  raw.fill(0);
  key.fill(0);
  if (pair === null) {
    const sentence = `priv_key_encrypted holds no Ed25519 private key. ${advice}`;
    throw fieldError(path, "priv_key_encrypted", sentence);
  }
  if (!equalBytes(pair.publicKey, publicKey)) {
    const sentence = `pub_key is not the public key of priv_key_encrypted. ${advice}`;
    throw fieldError(path, "pub_key", sentence);
  }
  return pair;
}

function decrypt(
  path: string,
  box: { readonly key: Uint8Array; readonly nonce: Uint8Array; readonly encrypted: Uint8Array },
): Uint8Array {
  const tagAt = box.encrypted.length - tagBytes;
  const decipher = createDecipheriv(cipherName, box.key, box.nonce, { authTagLength: tagBytes });
  decipher.setAuthTag(box.encrypted.subarray(tagAt));
  try {
    return concatBytes([decipher.update(box.encrypted.subarray(0, tagAt)), decipher.final()]);
  } catch (cause) {
    throw wrongPassphrase(path, cause);
  }
}

function passphraseBytes(path: string, passphrase: Passphrase): Uint8Array {
  const bytes = typeof passphrase === "string" ? Buffer.from(passphrase, "utf8") : passphrase;
  if (bytes.length > 0) return bytes;
  throw emptyPassphrase(path);
}
