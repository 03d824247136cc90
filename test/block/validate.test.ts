import { describe, expect, it } from "vitest";
import { emptyBytes, equalBytes } from "../../src/base/bytes.ts";
import { buildBlock } from "../../src/block/build.ts";
import { libp2pPublicKey, privateKeyFromSeed } from "../../src/block/ed25519.ts";
import { dataHashes, headerHash } from "../../src/block/hash.ts";
import { BlockSigner, SignatureChecker } from "../../src/block/sign.ts";
import type {
  BlockPayload,
  ChainHead,
  Data,
  Header,
  Metadata,
  SignedHeader,
} from "../../src/block/types.ts";
import { type BlockExpectations, checkBlock, checkLink } from "../../src/block/validate.ts";
import { clockDriftMaxNs, verifyData, verifySignedHeader } from "../../src/block/verify.ts";
import { firstHead, genesis, sampleBlock, secondHead, signer, utf8 } from "./sample.ts";
import { bytes, vector } from "./vectors.ts";

const txs = [utf8("a=1"), utf8("b=2")];
const block = sampleBlock(secondHead, txs);
const other = new Uint8Array(32).fill(9);

const expected: BlockExpectations = {
  chainId: genesis.chainId,
  proposerAddress: signer.signer.address,
  isKnownTx: () => false,
  acceptsBlocksWithoutTxIds: false,
  signatures: new SignatureChecker(),
};

/** `block` with another header, and what follows from it. */
function withHeader(fields: Partial<Header>): BlockPayload {
  const header = { ...block.header.header, ...fields };
  return {
    ...block,
    height: header.height,
    timestampNs: header.timeNs,
    hash: headerHash(header),
    header: { ...block.header, header },
  };
}

function withMetadata(fields: Partial<Metadata>): BlockPayload {
  const { metadata } = block.data;
  if (metadata === null) throw new TypeError("a block has metadata");
  return { ...block, data: { ...block.data, metadata: { ...metadata, ...fields } } };
}

function withSigned(fields: Partial<SignedHeader>): BlockPayload {
  return { ...block, header: { ...signer.sign(block.header.header), ...fields } };
}

describe("checkBlock", () => {
  it.each([
    ["the first block", sampleBlock(firstHead), firstHead],
    ["a block with transactions", block, secondHead],
    ["a signed block", withSigned({}), secondHead],
  ])("accepts %s", (_name, payload, head) => {
    const { hash } = dataHashes(payload.data);
    expect(checkBlock(payload, head, expected)).toEqual({ kind: "ok", dataHash: hash });
  });

  const { height, timeNs } = block.header.header;
  const otherKey = new BlockSigner(privateKeyFromSeed(new Uint8Array(32)));
  const refusals: [string, BlockPayload, string][] = [
    ["a height twice", withHeader({ height: height - 1 }), "height"],
    ["a gap", withHeader({ height: height + 1 }), "height"],
    ["an entry of another height", { ...block, height: height + 1 }, "height"],
    ["another parent", withHeader({ lastHeaderHash: other }), "parentHash"],
    ["no parent", withHeader({ lastHeaderHash: emptyBytes }), "parentHash"],
    ["the parent's time", withHeader({ timeNs: secondHead.timeNs }), "time"],
    ["an earlier time", withHeader({ timeNs: secondHead.timeNs - 1n }), "time"],
    ["another state", withHeader({ appHash: other }), "appHash"],
    ["another chain", withHeader({ chainId: "other" }), "chainId"],
    ["another proposer", withHeader({ proposerAddress: other }), "proposer"],
    ["no proposer", withHeader({ proposerAddress: emptyBytes }), "proposer"],
    ["another hash", { ...block, hash: other }, "hash"],
    ["another timestamp", { ...block, timestampNs: timeNs + 1n }, "timestamp"],
    ["no metadata", { ...block, data: { ...block.data, metadata: null } }, "metadata"],
    ["metadata of another height", withMetadata({ height: height + 1 }), "metadata"],
    ["metadata of another time", withMetadata({ timeNs: timeNs + 1n }), "metadata"],
    ["metadata of another chain", withMetadata({ chainId: "other" }), "metadata"],
    ["metadata after other data", withMetadata({ lastDataHash: other }), "lastDataHash"],
    ["other transactions", { ...block, data: { ...block.data, txs: [utf8("x=1")] } }, "dataHash"],
    ["an identity too few", { ...block, txIds: block.txIds.slice(1) }, "txIds"],
    ["no identities", { ...block, txIds: [] }, "txIds"],
    ["an empty identity", { ...block, txIds: [emptyBytes, other] }, "txIds"],
    ["an identity twice", { ...block, txIds: [other, other] }, "duplicateTx"],
    ["a wrong signature", withSigned({ signature: new Uint8Array(64) }), "signature"],
    ["another signer", withSigned(otherKey.sign(block.header.header)), "signer"],
    [
      "a signer whose address is not its key's",
      withSigned({ signer: { ...signer.signer, address: other } }),
      "signer",
    ],
    [
      "a signer without a key",
      withSigned({ signer: { ...signer.signer, publicKey: emptyBytes } }),
      "signer",
    ],
  ];

  it.each(refusals)("refuses %s", (_name, payload, code) => {
    const verdict = checkBlock(payload, secondHead, expected);
    expect(verdict).toMatchObject({ kind: "refused", code });
    expect(verdict.kind === "refused" && verdict.reason.length > 10).toBe(true);
  });

  it("refuses a transaction that was executed before (P7)", () => {
    const [known] = block.txIds;
    const isKnownTx = (id: Uint8Array) => known !== undefined && equalBytes(id, known);
    const verdict = checkBlock(block, secondHead, { ...expected, isKnownTx });
    expect(verdict).toMatchObject({ kind: "refused", code: "knownTx" });
  });

  it("takes ev-node's blocks, which have no identities, where they are expected", () => {
    const accepting = { ...expected, acceptsBlocksWithoutTxIds: true };
    expect(checkBlock({ ...block, txIds: [] }, secondHead, accepting).kind).toBe("ok");
  });
});

describe("ev-node's cases", () => {
  // TestAssertValidForNextState: our codes for its messages.
  const head: ChainHead = { ...secondHead, height: 5 };
  const next = sampleBlock(head);
  const { header } = next.header;
  const codes: readonly (string | null)[] = [
    null,
    "chainId",
    "height",
    "time",
    "dataHash",
    "appHash",
  ];
  const cases: readonly BlockPayload[] = [
    next,
    { ...next, header: { ...next.header, header: { ...header, chainId: "wrong" } } },
    { ...next, header: { ...next.header, header: { ...header, height: 7 } } },
    { ...next, header: { ...next.header, header: { ...header, timeNs: head.timeNs - 1n } } },
    { ...next, data: { ...next.data, txs: [utf8("other")] } },
    { ...next, header: { ...next.header, header: { ...header, appHash: other } } },
  ];

  it("TestAssertValidForNextState", () => {
    expect(vector("TestAssertValidForNextState").input).toMatchObject({
      cases: { length: cases.length },
    });
    const got = cases.map((payload) => {
      const verdict = checkBlock(payload, head, expected);
      return verdict.kind === "refused" ? verdict.code : null;
    });
    expect(got).toEqual(codes);
  });

  it.each([
    ["ok", 10, 100n, 11, 101n, null],
    ["all equal", 10, 100n, 10, 100n, "height"],
    ["equal height", 10, 100n, 10, 101n, "height"],
    ["equal timestamp", 10, 100n, 11, 100n, "time"],
    ["lower timestamp", 10, 101n, 11, 100n, "time"],
    ["lower height", 11, 100n, 10, 101n, "height"],
  ])("raft.assertValid/%s", (_name, headHeight, headTimeNs, blockHeight, timeNs, code) => {
    const at = { ...secondHead, height: headHeight, timeNs: headTimeNs };
    const linked = { ...header, lastHeaderHash: at.hash, height: blockHeight, timeNs };
    expect(checkLink(linked, at)?.code ?? null).toBe(code);
  });
});

describe("verifySignedHeader, for headers from strangers", () => {
  const signed = signer.sign(block.header.header);
  const nowNs = block.header.header.timeNs;
  const here = {
    chainId: genesis.chainId,
    proposerAddress: signer.signer.address,
    nowNs,
    signatures: new SignatureChecker(),
  };
  const resigned = (fields: Partial<Header>) => signer.sign({ ...block.header.header, ...fields });

  it("takes what the proposer signed, up to a minute ahead of our clock", () => {
    expect(verifySignedHeader(signed, here)).toBeNull();
    const early = { ...here, nowNs: nowNs - clockDriftMaxNs };
    expect(verifySignedHeader(signed, early)).toBeNull();
  });

  const wrongKey = libp2pPublicKey(new Uint8Array(32));
  it.each([
    ["no signature", { ...signed, signature: emptyBytes }, "signature"],
    ["a wrong signature", { ...signed, signature: new Uint8Array(64) }, "signature"],
    ["no key", { ...signed, signer: { ...signed.signer, publicKey: emptyBytes } }, "signer"],
    ["a foreign key", { ...signed, signer: { ...signed.signer, publicKey: wrongKey } }, "signer"],
    ["another proposer", resigned({ proposerAddress: other }), "proposer"],
    ["no proposer", resigned({ proposerAddress: emptyBytes }), "proposer"],
    ["no time", resigned({ timeNs: 0n }), "time"],
    ["the future", resigned({ timeNs: nowNs + clockDriftMaxNs + 1n }), "time"],
    ["another chain", resigned({ chainId: "Evolve-Test" }), "chainId"],
  ])("refuses %s", (_name, header, code) => {
    expect(verifySignedHeader(header, here)).toMatchObject({ kind: "refused", code });
  });

  it("data belongs to one header", () => {
    const { header } = block.header;
    expect(verifyData(header, block.data)).toBeNull();
    const changed: Data = { ...block.data, txs: [...block.data.txs, emptyBytes] };
    expect(verifyData(header, changed)).toMatchObject({ code: "dataHash" });
  });
});

describe("buildBlock", () => {
  it("the first block is ev-node's, bit by bit", () => {
    const ours = sampleBlock(firstHead);
    const theirs = vector("derived: block 1 of chain evolve-test").expected;
    expect(ours.hash).toEqual(bytes(theirs, "header_hash"));
    expect(ours.timestampNs).toBe(genesis.genesisTimeNs);
  });

  it.each([
    ["the wall clock", 5n, secondHead.timeNs + 5n],
    ["a clock that stands still", 0n, secondHead.timeNs + 1n],
    ["a clock that went back an hour", -3_600_000_000_000n, secondHead.timeNs + 1n],
  ])("time strictly increases with %s", (_name, passedNs, expectedNs) => {
    const payload = buildBlock({
      head: secondHead,
      genesis,
      txs: [],
      txIds: [],
      nowNs: secondHead.timeNs + passedNs,
      proposer: signer.signer,
    });
    expect(payload.header.header.timeNs).toBe(expectedNs);
    expect(checkBlock(payload, secondHead, expected).kind).toBe("ok");
  });

  it("a chain of built blocks is valid, block after block", () => {
    let head = firstHead;
    for (let height = 1; height <= 20; height++) {
      const payload = sampleBlock(head, height % 3 === 0 ? txs : []);
      const verdict = checkBlock(payload, head, expected);
      if (verdict.kind === "refused") throw new Error(verdict.reason);
      const { dataHash } = verdict;
      head = { ...head, height, hash: payload.hash, dataHash, timeNs: payload.timestampNs };
    }
    expect(head.height).toBe(20);
  });
});
