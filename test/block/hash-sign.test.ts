import { sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { concatBytes, emptyBytes, toHex } from "../../src/base/bytes.ts";
import { decodeBlockPayload, encodeHeader, encodeSignedHeader } from "../../src/block/codec.ts";
import {
  libp2pPublicKey,
  privateKeyFromSeed,
  publicKeyFromRaw,
  rawFromLibp2p,
  rawPublicKey,
  seedOf,
} from "../../src/block/ed25519.ts";
import {
  dataHashes,
  emptyDataHash,
  encodeLegacyHeader,
  headerHash,
  sha256,
} from "../../src/block/hash.ts";
import { proposerAddress, SignatureChecker } from "../../src/block/sign.ts";
import { emptyHeader, firstHead, hex, sampleBlock, seed, signer, utf8 } from "./sample.ts";
import { bytes, text, vector } from "./vectors.ts";

const blocks = ["derived: block 1 of chain evolve-test", "derived: block 2 of chain evolve-test"];

describe("hashes of ev-node", () => {
  it.each(["hash.SumTruncated/empty", "hash.SumTruncated/hello"])("%s", (name) => {
    const { input, expected } = vector(name);
    expect(sha256(bytes(input, "bytes"))).toEqual(bytes(expected, "sha256"));
  });

  it("of parts is that of the whole, short or long", () => {
    for (const length of [0, 1, 4000, 10_000]) {
      const part = new Uint8Array(length).fill(7);
      expect(sha256(part, part)).toEqual(sha256(concatBytes([part, part])));
    }
  });

  it("of a block without transactions", () => {
    const { expected } = vector("data hash of a block without transactions");
    expect(emptyDataHash).toEqual(bytes(expected, "data_hash"));
    expect(dataHashes({ metadata: null, txs: [] }).commitment).toEqual(emptyDataHash);
  });

  it("TestDataHash", () => {
    const { expected } = vector("TestDataHash");
    const metadata = {
      chainId: "test-chain",
      height: 1,
      timeNs: 1_234_567_890n,
      lastDataHash: utf8("lastdatahash"),
    };
    expect(dataHashes({ metadata, txs: [utf8("tx1"), utf8("tx2")] })).toEqual({
      commitment: bytes(expected, "da_commitment"),
      hash: bytes(expected, "data_hash"),
    });
  });

  it("TestHeaderHash and the fuzz seed", () => {
    const hashed = emptyHeader({ height: 1, timeNs: 1_234_567_890n, dataHash: utf8("datahash") });
    expect(headerHash(hashed)).toEqual(bytes(vector("TestHeaderHash").expected, "header_hash"));
    const fuzzed = emptyHeader({ height: 1, chainId: "test", timeNs: 1000n });
    const { expected } = vector("FuzzHeaderUnmarshalBinary/seed");
    expect(headerHash(fuzzed)).toEqual(bytes(expected, "header_hash"));
  });

  it("TestHeaderHashLegacy: legacy fields in their places, and hashed there", () => {
    const { input, expected } = vector("TestHeaderHashLegacy");
    const header = emptyHeader({
      height: 10,
      timeNs: 987_654_321n,
      chainId: "legacy-chain",
      dataHash: bytes(input, "data_hash"),
      legacy: {
        lastCommitHash: bytes(input, "legacy", "last_commit_hash"),
        consensusHash: bytes(input, "legacy", "consensus_hash"),
        lastResultsHash: bytes(input, "legacy", "last_results_hash"),
      },
    });
    expect(toHex(encodeLegacyHeader(header))).toBe(text(expected, "legacy_bytes"));
    expect(headerHash(header)).toEqual(bytes(expected, "header_hash"));
  });

  it("an empty consensus hash counts as zeros in the legacy encoding", () => {
    const legacy = {
      lastCommitHash: emptyBytes,
      consensusHash: emptyBytes,
      lastResultsHash: Uint8Array.of(1),
    };
    const encoded = toHex(encodeLegacyHeader(emptyHeader({ legacy })));
    expect(encoded).toBe(`0a00100018003a20${"00".repeat(32)}4a0101`);
  });

  it.each(blocks)("%s", (name) => {
    const { expected } = vector(name);
    const payload = decodeBlockPayload(bytes(expected, "raft_log_data(=snapshot content)"));
    expect(headerHash(payload.header.header)).toEqual(bytes(expected, "header_hash"));
    expect(dataHashes(payload.data)).toEqual({
      commitment: bytes(expected, "da_commitment(=header.data_hash)"),
      hash: bytes(expected, "data_hash_with_metadata"),
    });
    expect(sha256(encodeSignedHeader(payload.header))).toEqual(
      bytes(expected, "store_index_hash(sha256 of signed header)"),
    );
  });
});

describe("keys", () => {
  const { expected } = vector("derived: key material");
  const raw = bytes(expected, "public_key");

  it("of the vectors", () => {
    const privateKey = privateKeyFromSeed(seed);
    expect(rawPublicKey(privateKey)).toEqual(raw);
    expect(rawPublicKey(publicKeyFromRaw(raw))).toEqual(raw);
    expect(seedOf(privateKey)).toEqual(seed);
    expect(libp2pPublicKey(raw)).toEqual(bytes(expected, "libp2p_public_key"));
    expect(rawFromLibp2p(libp2pPublicKey(raw))).toEqual(raw);
    expect(proposerAddress(raw)).toEqual(bytes(expected, "proposer_address"));
  });

  it.each([
    ["nothing", emptyBytes],
    ["a secp256k1 key", concatBytes([hex("08021221"), new Uint8Array(33)])],
    ["a cut key", libp2pPublicKey(raw).subarray(0, 30)],
    ["a longer key", concatBytes([libp2pPublicKey(raw), Uint8Array.of(0)])],
  ])("%s is no Ed25519 key of libp2p", (_name, encoded) => {
    expect(rawFromLibp2p(encoded)).toBeNull();
  });
});

describe("signatures", () => {
  it.each(blocks)("%s is signed as ev-node signs it (P4: always the same)", (name) => {
    const { expected } = vector(name);
    const payload = decodeBlockPayload(bytes(expected, "raft_log_data(=snapshot content)"));
    const signed = signer.sign(payload.header.header);
    expect(signed).toEqual(payload.header);
    expect(signed.signature).toEqual(bytes(expected, "signature"));
    expect(new SignatureChecker().verify(payload.header)).toBe(true);
  });

  it("of another header, another key or another length do not hold", () => {
    const { header } = sampleBlock(firstHead).header;
    const signed = signer.sign(header);
    const checker = new SignatureChecker();
    expect(checker.verify(signed)).toBe(true);
    expect(checker.verify({ ...signed, header: { ...header, height: 2 } })).toBe(false);
    expect(checker.verify({ ...signed, signature: signed.signature.subarray(1) })).toBe(false);
    const publicKey = libp2pPublicKey(rawPublicKey(privateKeyFromSeed(new Uint8Array(32))));
    expect(checker.verify({ ...signed, signer: { ...signed.signer, publicKey } })).toBe(false);
    expect(checker.verify({ ...signed, signer: { ...signed.signer, publicKey: emptyBytes } })).toBe(
      false,
    );
    expect(checker.verify(signed)).toBe(true);
  });

  it("over either encoding hold for a header with legacy hashes", () => {
    const legacy = {
      lastCommitHash: Uint8Array.of(1),
      consensusHash: emptyBytes,
      lastResultsHash: emptyBytes,
    };
    const header = emptyHeader({ height: 5, timeNs: 1n, legacy });
    const key = privateKeyFromSeed(seed);
    for (const encoded of [encodeHeader(header), encodeLegacyHeader(header)]) {
      const signature = new Uint8Array(sign(null, encoded, key));
      const checker = new SignatureChecker();
      expect(checker.verify({ header, signature, signer: signer.signer })).toBe(true);
    }
  });
});
