import { createCipheriv } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { privateKeyFromSeed } from "../../src/block/ed25519.ts";
import { HomeError } from "../../src/home/errors.ts";
import { homeLayout } from "../../src/home/layout.ts";
import {
  createNodeKey,
  formatNodeKey,
  parseNodeKey,
  readNodeKey,
  readOrCreateNodeKey,
} from "../../src/home/node-key.ts";
import { deriveInJavaScript, deriveKey, deriveLegacyKey } from "../../src/home/passphrase-key.ts";
import {
  fromBase58,
  peerIdFromPublicKey,
  publicKeyFromPeerId,
  toBase58,
} from "../../src/home/peer-id.ts";
import { keyPairFromRaw, keyPairFromSeed, rawPrivateKey } from "../../src/home/raw-key.ts";
import {
  createSigner,
  decryptSigner,
  encryptSigner,
  openSigner,
  readSignerPublicKey,
  writeSigner,
} from "../../src/home/signer-file.ts";
import { seed, utf8 } from "../block/sample.ts";
import { at, bytes, text, vector } from "../block/vectors.ts";

const keyMaterial = vector("derived: key material").expected;
const signerVector = vector("derived: signer.json");
const signerText = JSON.stringify(at(signerVector.expected, "signer_json"));
const salt = bytes(signerVector.input, "salt");
const nonce = bytes(signerVector.input, "nonce");
const pair = keyPairFromSeed(seed);

let home = "";
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "home-keys-"));
});
afterAll(() => rm(home, { recursive: true }));

describe("peer id", () => {
  const publicKey = bytes(keyMaterial, "public_key");
  const peerId = text(keyMaterial, "peer_id");

  it("of the vectors, in both directions", () => {
    expect(peerIdFromPublicKey(publicKey)).toBe(peerId);
    expect(publicKeyFromPeerId(peerId)).toEqual(publicKey);
  });

  it.each([
    ["empty", ""],
    ["not base 58", "0OIl"],
    ["of an RSA key", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"],
    ["cut", "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeS"],
    ["endless", "1".repeat(100_000)],
  ])("%s is none", (_name, written) => {
    expect(publicKeyFromPeerId(written)).toBeNull();
  });

  it("base 58 keeps leading zeros", () => {
    const withZeros = Uint8Array.of(0, 0, 1, 2);
    expect(toBase58(withZeros).startsWith("11")).toBe(true);
    expect(fromBase58(toBase58(withZeros))).toEqual(withZeros);
  });
});

describe("node_key.json", () => {
  const written = JSON.stringify(at(keyMaterial, "node_key_json"));

  it("of the vectors is read and written byte by byte", () => {
    const key = parseNodeKey("node_key.json", written);
    expect(key.peerId).toBe(text(keyMaterial, "peer_id"));
    expect(key.rawPrivateKey).toEqual(bytes(keyMaterial, "raw_private_key_64"));
    expect(key.publicKey).toEqual(bytes(keyMaterial, "public_key"));
    expect(formatNodeKey(key)).toBe(written);
  });

  it("is made once, private, and found again", async () => {
    const { nodeKeyFile: path, configDir } = homeLayout(join(home, "fresh"));
    const { nodeKey: made, isNew } = await readOrCreateNodeKey(path);
    expect(isNew).toBe(true);
    const found = await readOrCreateNodeKey(path);
    expect(found).toMatchObject({ isNew: false, nodeKey: { peerId: made.peerId } });
    expect((await readNodeKey(path)).rawPrivateKey).toEqual(made.rawPrivateKey);
    expect(await readdir(configDir)).toEqual(["node_key.json"]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await expect(createNodeKey(path)).rejects.toMatchObject({ detail: { code: "HOME_EXISTS" } });
    expect((await readNodeKey(path)).peerId).toBe(made.peerId);
  });

  it("damaged is an error, not a new key", async () => {
    const path = join(home, "damaged.json");
    await writeFile(path, written.slice(0, 50));
    await expect(readOrCreateNodeKey(path)).rejects.toMatchObject({
      detail: { code: "HOME_JSON" },
    });
    expect(await readFile(path, "utf8")).toBe(written.slice(0, 50));
  });

  const stranger = keyPairFromSeed(new Uint8Array(32));
  const mixed = Buffer.from(rawPrivateKey(pair));
  mixed.set(stranger.publicKey, 32);
  it.each([
    ["priv_key", { priv_key: mixed.toString("base64") }],
    ["priv_key", { priv_key: "AAAA" }],
    ["priv_key", { priv_key: undefined }],
    ["pub_key", { pub_key: Buffer.from(stranger.publicKey).toString("base64") }],
    ["pub_key", { pub_key: undefined }],
  ])("with a wrong %s is refused: %j", (field, change) => {
    const damaged = JSON.stringify({ ...JSON.parse(written), ...change });
    expect(() => parseNodeKey("node_key.json", damaged)).toThrow(
      expect.objectContaining({ detail: { code: "HOME_FIELD", path: "node_key.json", field } }),
    );
  });
});

describe("the key of a passphrase", () => {
  it("is Argon2id with ev-node's cost, with and without Node's own", async () => {
    const key = bytes(signerVector.expected, "derived_key");
    const passphrase = utf8(text(signerVector.input, "passphrase"));
    expect(new Uint8Array(await deriveKey(passphrase, salt))).toEqual(key);
    expect(await deriveInJavaScript(passphrase, salt)).toEqual(key);
  });

  it("of the first releases is the passphrase itself", () => {
    const { input, expected } = vector("derived: legacy key derivation without salt");
    expect(deriveLegacyKey(utf8(text(input, "passphrase")))).toEqual(bytes(expected, "key"));
    const long = utf8("a passphrase of more than thirty-two bytes");
    expect(deriveLegacyKey(long)).toEqual(long.subarray(0, 32));
  });
});

describe("signer.json", () => {
  it("of the vectors opens, and is written byte by byte", async () => {
    const opened = await decryptSigner("signer.json", signerText, "secret");
    expect(rawPrivateKey(opened)).toEqual(bytes(keyMaterial, "raw_private_key_64"));
    expect(opened.privateKey.equals(privateKeyFromSeed(seed))).toBe(true);
    const secrets = { passphrase: utf8("secret"), salt, nonce };
    expect(await encryptSigner("signer.json", pair, secrets)).toBe(signerText);
  });

  it("without a salt opens with the key of the first releases", async () => {
    const cipher = createCipheriv("aes-256-gcm", deriveLegacyKey(utf8("short")), nonce);
    const plain = rawPrivateKey(pair);
    const encrypted = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    const legacy = JSON.stringify({
      priv_key_encrypted: encrypted.toString("base64"),
      nonce: Buffer.from(nonce).toString("base64"),
      pub_key: Buffer.from(pair.publicKey).toString("base64"),
    });
    const opened = await decryptSigner("signer.json", legacy, "short");
    expect(opened.publicKey).toEqual(pair.publicKey);
  });

  it("is made private, and opens with its passphrase alone", async () => {
    const path = join(home, "signer", "config", "signer.json");
    const made = await createSigner(path, "pass word");
    expect((await openSigner(path, "pass word")).publicKey).toEqual(made.publicKey);
    expect(await readSignerPublicKey(path)).toEqual(made.publicKey);
    expect((await stat(path)).mode & 0o777).toBe(0o600);

    const wrong = await openSigner(path, "password").catch((error: unknown) => error);
    expect(wrong).toBeInstanceOf(HomeError);
    expect(wrong).toMatchObject({ detail: { code: "HOME_PASSPHRASE", path } });
    expect(String(wrong)).toMatch(/Check it where it comes from/);
    expect(String(wrong)).not.toMatch(/password/);

    await expect(createSigner(path, "x")).rejects.toMatchObject({
      detail: { code: "HOME_EXISTS" },
    });
    await writeSigner(path, pair, { passphrase: "new", overwrite: true });
    expect((await openSigner(path, "new")).publicKey).toEqual(pair.publicKey);
    expect(await readdir(join(home, "signer", "config"))).toEqual(["signer.json"]);
  });

  it("has no empty passphrase", async () => {
    const code = { detail: { code: "HOME_PASSPHRASE" } };
    await expect(createSigner(join(home, "none.json"), "")).rejects.toMatchObject(code);
    await expect(decryptSigner("signer.json", signerText, "")).rejects.toMatchObject(code);
  });

  it.each([
    ["priv_key_encrypted", { priv_key_encrypted: "AAAA" }],
    ["priv_key_encrypted", { priv_key_encrypted: undefined }],
    ["nonce", { nonce: "AAAA" }],
    ["pub_key", { pub_key: "AAAA" }],
    ["pub_key", { pub_key: Buffer.from(new Uint8Array(32)).toString("base64") }],
    ["salt", { salt: "AAAA" }],
    ["salt", { salt: 7 }],
  ])("with a wrong %s is refused: %j", async (field, change) => {
    const damaged = JSON.stringify({ ...JSON.parse(signerText), ...change });
    await expect(decryptSigner("signer.json", damaged, "secret")).rejects.toMatchObject({
      detail: { code: "HOME_FIELD", path: "signer.json", field },
    });
  });

  it("damaged is an error that does not quote the file", async () => {
    const cut = signerText.slice(0, 60);
    const error = await decryptSigner("signer.json", cut, "secret").catch(
      (caught: unknown) => caught,
    );
    expect(error).toMatchObject({ detail: { code: "HOME_JSON" } });
    expect(String(error)).not.toContain("AyfL");
  });
});

describe("raw private keys", () => {
  it("have 64 bytes, or 96 with libp2p's old second copy of the public key", () => {
    const raw = rawPrivateKey(pair);
    expect(keyPairFromRaw(raw)?.publicKey).toEqual(pair.publicKey);
    expect(keyPairFromRaw(Buffer.concat([raw, pair.publicKey]))?.publicKey).toEqual(pair.publicKey);
    expect(keyPairFromRaw(Buffer.concat([raw, new Uint8Array(32)]))).toBeNull();
    expect(keyPairFromRaw(seed)).toBeNull();
  });
});
