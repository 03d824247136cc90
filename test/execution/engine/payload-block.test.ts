import { describe, expect, it } from "vitest";
import { type BuiltPayload, builtPayloadSchema } from "../../../src/execution/engine/answers.ts";
import {
  decodePayload,
  encodePayload,
  holdsPayload,
  transactionHash,
  whyNoTransaction,
} from "../../../src/execution/engine/payload-block.ts";

const hash = (digit: string) => `0x${digit.repeat(64)}`;

const built: BuiltPayload = builtPayloadSchema.parse({
  executionPayload: {
    parentHash: hash("a"),
    stateRoot: hash("b"),
    blockHash: hash("c"),
    blockNumber: "0x7",
    timestamp: "0x6553f107",
    transactions: ["0x02f8aa", "0x03f8bb"],
    extraData: "0x",
    fieldOfALaterFork: ["0x01", { deep: true }],
  },
  blockValue: "0x0",
  blobsBundle: { commitments: [`0x${"c0".repeat(48)}`], proofs: [], blobs: [] },
  executionRequests: ["0x00ff"],
  shouldOverrideBuilder: false,
});

describe("a payload as a block's data", () => {
  it("is one frame and its transactions as they are, each with its hash for an identity", () => {
    const [frame, ...txs] = encodePayload(built);
    expect(frame?.tx[0]).toBe(0x80);
    expect(Buffer.from(frame?.id ?? []).toString("hex")).toBe("c".repeat(64));
    expect(txs.map(({ tx }) => Buffer.from(tx).toString("hex"))).toEqual(["02f8aa", "03f8bb"]);
    expect(txs.map(({ id }) => id)).toEqual(txs.map(({ tx }) => transactionHash(tx)));
  });

  it.each([
    ["bytes", Array<string>(80).fill(`0x02${"00".repeat(128 * 1024)}`)],
    ["transactions", Array<string>(100_000).fill("0x02f8")],
  ])("is none with more %s than a member that missed it could fetch", (_what, transactions) => {
    const payload = { ...built, executionPayload: { ...built.executionPayload, transactions } };
    expect(() => encodePayload(payload)).toThrow(/Lower the gas limit of all clients/);
    const most = { ...built.executionPayload, transactions: transactions.slice(0, 70) };
    expect(encodePayload({ ...built, executionPayload: most })).toHaveLength(71);
  });

  it("comes back whole, with fields that nobody here knows, and the blobs' versioned hashes", () => {
    const data = encodePayload(built).map(({ tx }) => tx);
    expect(holdsPayload(data)).toBe(true);
    expect(decodePayload(data)).toEqual({
      kind: "payload",
      submission: {
        payload: built.executionPayload,
        // SHA-256 of the commitment, its first byte replaced by the version (EIP-4844).
        blobVersionedHashes: ["0x01e2f35246044cb2646ad1a00d9373fe9e4c129324952976bc2cecb9c31952b7"],
        executionRequests: ["0x00ff"],
      },
    });
  });

  it.each([
    ["nothing", [], false],
    ["a legacy transaction", [Uint8Array.of(0xf8, 1)], false],
    ["a typed transaction", [Uint8Array.of(2, 1)], false],
    ["an empty transaction", [new Uint8Array()], false],
    ["a frame", [Uint8Array.of(0x80)], true],
  ])("%s is told apart", (_name, txs, isPayload) => {
    expect(holdsPayload(txs)).toBe(isPayload);
  });

  it.each([
    ["", /no JSON/],
    ["{", /no JSON/],
    ["{}", /payload/],
    ['{"payload":{},"blobVersionedHashes":[],"executionRequests":[]}', /payload\.parentHash/],
    ["\xff", /no JSON/],
  ])("%j behind the marker is malformed", (text, reason) => {
    const frame = Buffer.concat([Uint8Array.of(0x80), Buffer.from(text, "latin1")]);
    const decoded = decodePayload([frame]);
    expect(decoded).toEqual({ kind: "malformed", reason: expect.stringMatching(reason) });
  });
});

describe("what no block can hold", () => {
  it.each([
    ["nothing", "", /empty/],
    ["a blob transaction", "03f8", /blob/],
    ["a frame", "807b", /begins with 0x80/],
    ["text", "bf61", /begins with 0xbf/],
  ])("%s is refused", (_name, hex, reason) => {
    expect(whyNoTransaction(Buffer.from(hex, "hex"))).toMatch(reason);
  });

  it.each(["01f8", "02f8", "04f8", "f86c", "c0"])("0x%s may be a transaction", (hex) => {
    expect(whyNoTransaction(Buffer.from(hex, "hex"))).toBeNull();
  });
});

describe("a transaction's hash", () => {
  it("is Keccak-256, as Ethereum has it, and not SHA3", () => {
    const digest = Buffer.from(transactionHash(new Uint8Array())).toString("hex");
    expect(digest).toBe("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  });
});
