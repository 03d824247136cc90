import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, emptyBytes, toHex } from "../../src/base/bytes.ts";
import {
  decodeBlockPayload,
  decodeData,
  decodeHeader,
  decodeMetadata,
  decodeSignedHeader,
  encodeBlockPayload,
  encodeData,
  encodeHeader,
  encodeMetadata,
  encodeSignedHeader,
} from "../../src/block/codec.ts";
import { BlockError } from "../../src/block/errors.ts";
import { encodeLegacyHeader } from "../../src/block/hash.ts";
import { decodeStateSnapshot, encodeTxIdsAt } from "../../src/block/snapshot-codec.ts";
import { decodeState, encodeState } from "../../src/block/state-codec.ts";
import type { BlockPayload, Data, Header, LegacyHashes } from "../../src/block/types.ts";
import { emptyHeader, firstHead, hex, sampleBlock, secondHead, utf8 } from "./sample.ts";
import { bytes, number, text, vector } from "./vectors.ts";

const anyBytes = fc.uint8Array({ maxLength: 40 });
const anyCount = fc.maxSafeNat();
const anyTime = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

const anyHeader: fc.Arbitrary<Header> = fc.record({
  version: fc.record({ block: anyCount, app: anyCount }),
  height: anyCount,
  timeNs: anyTime,
  lastHeaderHash: anyBytes,
  dataHash: anyBytes,
  appHash: anyBytes,
  proposerAddress: anyBytes,
  validatorHash: anyBytes,
  chainId: fc.string({ maxLength: 20, unit: "grapheme" }),
});

const anyData: fc.Arbitrary<Data> = fc.record({
  metadata: fc.option(
    fc.record({
      chainId: fc.string({ maxLength: 20 }),
      height: anyCount,
      timeNs: anyTime,
      lastDataHash: anyBytes,
    }),
  ),
  txs: fc.array(anyBytes, { maxLength: 5 }),
});

const anyPayload: fc.Arbitrary<BlockPayload> = fc.record({
  height: anyCount,
  hash: anyBytes,
  timestampNs: anyTime,
  header: fc.record({
    header: anyHeader,
    signature: anyBytes,
    signer: fc.record({ address: anyBytes, publicKey: anyBytes }),
  }),
  data: anyData,
  txIds: fc.array(anyBytes, { maxLength: 5 }),
  lastSubmittedDaHeaderHeight: anyCount,
  lastSubmittedDaDataHeight: anyCount,
});

describe("bytes of ev-node", () => {
  it("a header has the length of TestHeaderSerializationSize, and its bytes", () => {
    const { input } = vector("TestHeaderSerializationSize/bytes");
    const header = emptyHeader({
      version: { block: 1, app: 2 },
      height: 3,
      timeNs: 4567n,
      chainId: text(input, "chain_id"),
      lastHeaderHash: bytes(input, "last_header_hash"),
      dataHash: bytes(input, "data_hash"),
      appHash: bytes(input, "app_hash"),
      proposerAddress: bytes(input, "proposer_address"),
      validatorHash: bytes(input, "validator_hash"),
    });
    const encoded = encodeHeader(header);
    const { expected } = vector("TestHeaderSerializationSize/bytes");
    expect(encoded).toEqual(bytes(expected, "header_bytes"));
    const size = vector("TestHeaderSerializationSize").expected;
    expect(encoded.length).toBe(number(size, "serialized_length"));
    expect(decodeHeader(encoded)).toEqual(header);
  });

  it("a zero version is written as an empty message", () => {
    const name = "derived: block 1 of an all-default state has an empty Version message";
    const prefix = text(vector(name).expected, "header_prefix");
    expect(toHex(encodeHeader(emptyHeader({})))).toBe(prefix);
  });

  it("TestHeaderHash and the fuzz seed", () => {
    const hashed = emptyHeader({ height: 1, timeNs: 1_234_567_890n, dataHash: utf8("datahash") });
    expect(encodeHeader(hashed)).toEqual(bytes(vector("TestHeaderHash").expected, "header_bytes"));
    const seed = emptyHeader({ height: 1, chainId: "test", timeNs: 1000n });
    const { expected } = vector("FuzzHeaderUnmarshalBinary/seed");
    expect(encodeHeader(seed)).toEqual(bytes(expected, "header_bytes"));
  });

  it("legacy hashes follow the known fields, and survive a round trip", () => {
    const { input, expected } = vector("TestHeaderMarshalBinary_PreservesLegacyFields");
    const legacy: LegacyHashes = {
      lastCommitHash: bytes(input, "legacy", "last_commit_hash"),
      consensusHash: bytes(input, "legacy", "consensus_hash"),
      lastResultsHash: bytes(input, "legacy", "last_results_hash"),
    };
    const header = emptyHeader({
      version: { block: 2, app: 3 },
      height: 42,
      timeNs: 123_456_789n,
      chainId: "chain-legacy",
      lastHeaderHash: hex("01020304"),
      dataHash: hex("05060708"),
      appHash: hex("090a0b0c"),
      proposerAddress: hex("0d0e0f10"),
      validatorHash: hex("11121314"),
      legacy,
    });
    const wire = bytes(expected, "wire_bytes");
    expect(encodeHeader(header)).toEqual(wire);
    expect(decodeHeader(wire)).toEqual(header);
    // A header in the old order of fields says the same.
    expect(decodeHeader(encodeLegacyHeader(header))).toEqual(header);
  });

  it("data with and without metadata", () => {
    const txs = [utf8("tx1"), utf8("tx2")];
    const bare = vector("FuzzDataUnmarshalBinary/seed").expected;
    expect(encodeData({ metadata: null, txs })).toEqual(bytes(bare, "data_bytes"));
    const metadata = {
      chainId: "test-chain",
      height: 1,
      timeNs: 1_234_567_890n,
      lastDataHash: utf8("lastdatahash"),
    };
    const full = bytes(vector("TestDataHash").expected, "data_bytes");
    expect(encodeData({ metadata, txs })).toEqual(full);
    expect(decodeData(full)).toEqual({ metadata, txs });
    expect(decodeMetadata(encodeMetadata(metadata))).toEqual(metadata);
  });

  it("empty transactions are written", () => {
    expect(toHex(encodeData({ metadata: null, txs: [emptyBytes, emptyBytes] }))).toBe("12001200");
    expect(decodeData(hex("12001200")).txs).toEqual([emptyBytes, emptyBytes]);
  });

  it("an empty signer is written", () => {
    const signed = {
      header: emptyHeader({}),
      signature: emptyBytes,
      signer: { address: emptyBytes, publicKey: emptyBytes },
    };
    expect(toHex(encodeSignedHeader(signed))).toBe("0a020a001a00");
    expect(decodeSignedHeader(hex("0a020a00"))).toEqual(signed);
  });

  it.each(["derived: block 1 of chain evolve-test", "derived: block 2 of chain evolve-test"])(
    "%s: header, data and log entry",
    (name) => {
      const { expected } = vector(name);
      const entry = bytes(expected, "raft_log_data(=snapshot content)");
      const payload = decodeBlockPayload(entry);
      expect(encodeBlockPayload(payload)).toEqual(entry);
      expect(encodeHeader(payload.header.header)).toEqual(
        bytes(expected, "header_bytes(=signed payload)"),
      );
      expect(encodeSignedHeader(payload.header)).toEqual(bytes(expected, "signed_header_bytes"));
      expect(encodeData(payload.data)).toEqual(bytes(expected, "data_bytes"));
      expect(payload.hash).toEqual(bytes(expected, "header_hash"));
    },
  );

  it("TestStateMarshalBinaryRoundTrip", () => {
    const encoded = bytes(vector("TestStateMarshalBinaryRoundTrip").expected, "state_bytes");
    const state = decodeState(encoded);
    expect(state).toMatchObject({
      version: { block: 11, app: 22 },
      chainId: "marshal-state",
      initialHeight: 3,
      lastBlockHeight: 7,
      lastBlockTimeNs: BigInt(Date.UTC(2024, 6, 8, 9, 10, 11)) * 1_000_000n + 12n,
      daHeight: 13,
    });
    expect(encodeState(state)).toEqual(encoded);
  });
});

describe("our own field", () => {
  it("transaction identities travel behind ev-node's fields, which are unchanged", () => {
    const block = sampleBlock(secondHead, [utf8("a=1"), utf8("b=2")]);
    const entry = encodeBlockPayload(block);
    const plain = encodeBlockPayload({ ...block, txIds: [] });
    expect(toHex(entry).startsWith(toHex(plain))).toBe(true);
    expect(decodeBlockPayload(entry).txIds).toEqual(block.txIds);
  });
});

describe("round trips", () => {
  it("of any payload", () => {
    fc.assert(
      fc.property(anyPayload, (payload) => {
        expect(decodeBlockPayload(encodeBlockPayload(payload))).toEqual(payload);
      }),
      { seed: 7 },
    );
  });

  it("decoding takes fields in any order, and drops unknown ones", () => {
    const { header } = sampleBlock(firstHead).header;
    const reordered = new BinaryWriter()
      .tag(12, WireType.LengthDelimited)
      .string(header.chainId)
      .tag(77, WireType.LengthDelimited)
      .bytes(Uint8Array.of(1, 2, 3))
      .tag(10, WireType.LengthDelimited)
      .bytes(header.proposerAddress)
      .tag(8, WireType.LengthDelimited)
      .bytes(header.appHash)
      .tag(6, WireType.LengthDelimited)
      .bytes(header.dataHash)
      .tag(3, WireType.Varint)
      .uint64(header.timeNs)
      .tag(2, WireType.Varint)
      .uint64(header.height)
      .finish();
    expect(decodeHeader(reordered)).toEqual(header);
  });

  it("decoded bytes are plain arrays, whatever was decoded", () => {
    const entry = Buffer.from(encodeBlockPayload(sampleBlock(firstHead, [utf8("a=1")])));
    const { data, hash } = decodeBlockPayload(entry);
    expect(hash.constructor).toBe(Uint8Array);
    expect(data.txs[0]?.constructor).toBe(Uint8Array);
  });
});

describe("bad bytes are refused with a BlockError (P12)", () => {
  it("TestUnmarshalBinary_InvalidData", () => {
    const invalid = bytes(vector("TestUnmarshalBinary_InvalidData").input, "bytes");
    for (const decode of [decodeHeader, decodeSignedHeader, decodeData, decodeMetadata]) {
      expect(() => decode(invalid)).toThrow(BlockError);
    }
    expect(() => decodeBlockPayload(invalid)).toThrow(BlockError);
  });

  it("any bytes decode, or throw a BlockError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
        for (const decode of [decodeBlockPayload, decodeHeader, decodeData, decodeSignedHeader]) {
          try {
            decode(garbage);
          } catch (error) {
            expect(error).toBeInstanceOf(BlockError);
          }
        }
      }),
      { seed: 11, numRuns: 500 },
    );
  });

  it("a payload cut anywhere decodes to something else, or throws a BlockError", () => {
    const entry = encodeBlockPayload(sampleBlock(secondHead, [utf8("a=1")]));
    for (let length = 0; length < entry.length; length++) {
      try {
        expect(encodeBlockPayload(decodeBlockPayload(entry.subarray(0, length)))).not.toEqual(
          entry,
        );
      } catch (error) {
        expect(error).toBeInstanceOf(BlockError);
      }
    }
  });

  it.each([
    ["a height beyond the exact integers", hex("10ffffffffffffffffff01"), "BLOCK_FIELD"],
    ["a hash of a megabyte", longField(6, 1024 * 1024), "BLOCK_LIMIT"],
    ["a legacy hash of two kilobytes", longField(5, 2048), "BLOCK_LIMIT"],
    ["a legacy hash that is a number", hex("2801"), "BLOCK_FIELD"],
    ["a megabyte of unknown fields", longField(99, 1024 * 1024), "BLOCK_LIMIT"],
    ["more than any header", longField(99, 3 * 1024 * 1024), "BLOCK_LIMIT"],
    ["a chain id of two kilobytes", longField(12, 2048), "BLOCK_FIELD"],
    ["a chain id that is not UTF-8", hex("6201ff"), "BLOCK_MALFORMED"],
  ])("header with %s", (_name, encoded, code) => {
    expect(codeOf(() => decodeHeader(encoded))).toBe(code);
  });

  it("a signed header without a header", () => {
    expect(codeOf(() => decodeSignedHeader(emptyBytes))).toBe("BLOCK_FIELD");
  });

  it("millions of empty transactions, before they take memory", () => {
    const bomb = new Uint8Array(4_000_000);
    for (let at = 0; at < bomb.length; at += 2) bomb[at] = 0x12;
    expect(codeOf(() => decodeData(bomb))).toBe("BLOCK_LIMIT");
  });

  it("a snapshot with an identity that is empty, and so no key of a block store", () => {
    const snapshotWith = (...txIds: readonly Uint8Array[]) =>
      concatBytes([
        encodeBlockPayload(sampleBlock(firstHead)),
        encodeTxIdsAt({ height: 1, txIds }),
      ]);
    expect(codeOf(() => decodeStateSnapshot(snapshotWith(utf8("id"))))).toBe("none");
    expect(codeOf(() => decodeStateSnapshot(snapshotWith(utf8("id"), emptyBytes)))).toBe(
      "BLOCK_FIELD",
    );
  });

  it("a transaction identity of a kilobyte", () => {
    const block = { ...sampleBlock(firstHead, [utf8("a=1")]), txIds: [new Uint8Array(1000)] };
    expect(codeOf(() => decodeBlockPayload(encodeBlockPayload(block)))).toBe("BLOCK_LIMIT");
  });
});

function longField(field: number, length: number): Uint8Array {
  const writer = new BinaryWriter().tag(field, WireType.LengthDelimited);
  return concatBytes([writer.bytes(new Uint8Array(length).fill(0x61)).finish()]);
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof BlockError) return error.code;
    throw error;
  }
  return "none";
}
