/** Blocks and their parts as ev-node's protobuf: payloads of log entries, snapshots, what peers exchange. */

import { concatBytes, emptyBytes } from "../../../src/base/bytes.ts";
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
} from "../../../src/block/codec.ts";
import { BlockError } from "../../../src/block/errors.ts";
import { dataHashes, headerHash } from "../../../src/block/hash.ts";
import { txIdMaxBytes } from "../../../src/block/limits.ts";
import {
  decodeHeaderRequest,
  decodeHeaderResponse,
  decodeP2PData,
  decodeP2PSignedHeader,
  encodeHeaderRequest,
  encodeHeaderResponse,
  encodeP2PData,
  encodeP2PSignedHeader,
} from "../../../src/block/p2p-codec.ts";
import { SignatureChecker } from "../../../src/block/sign.ts";
import {
  decodeStateSnapshot,
  encodeTxIdsAt,
  type StateSnapshot,
} from "../../../src/block/snapshot-codec.ts";
import { decodeState, encodeState } from "../../../src/block/state-codec.ts";
import type { BlockPayload, SignedHeader } from "../../../src/block/types.ts";
import { checkBlock } from "../../../src/block/validate.ts";
import { verifyData, verifySignedHeader } from "../../../src/block/verify.ts";
import { firstHead, genesis, sampleBlock, secondHead, signer } from "../../block/sample.ts";
import { protobuf } from "../shape-protobuf.ts";
import { type Codec, checkCodec, expectThat, type Target, utf8 } from "../target.ts";

const signatures = new SignatureChecker();
const empty = sampleBlock(firstHead);
const full = sampleBlock(secondHead, [utf8("a=1"), utf8("b=2"), new Uint8Array(300).fill(9)]);
const signed = signer.sign(full.header.header);
const early: BlockPayload = { ...full, header: signed };
const hash = new Uint8Array(32).fill(5);
const legacyHeader = {
  ...full.header.header,
  legacy: { lastCommitHash: hash, consensusHash: hash, lastResultsHash: emptyBytes },
};
const atLimits: SignedHeader = {
  ...signed,
  header: {
    ...signed.header,
    version: { block: Number.MAX_SAFE_INTEGER, app: 0 },
    timeNs: 2n ** 64n - 1n,
    chainId: "\ufeff\u{1f600}",
  },
};
const headers = [
  full.header,
  signed,
  atLimits,
  signer.sign(legacyHeader),
  { ...signed, signature: emptyBytes, signer: { address: emptyBytes, publicKey: emptyBytes } },
];
const data = [full.data, empty.data, { metadata: null, txs: [emptyBytes, utf8("x")] }];
const heights = { daHeightHint: 2 ** 40 };
const snapshotOf = (payload: BlockPayload) =>
  concatBytes([
    encodeBlockPayload(payload),
    encodeTxIdsAt({ height: 1, txIds: [utf8("one"), utf8("two")] }),
    encodeTxIdsAt({ height: 2, txIds: [new Uint8Array(txIdMaxBytes).fill(1)] }),
  ]);
const state = {
  version: { block: 11, app: 1 },
  chainId: "evolve-test",
  initialHeight: 1,
  lastBlockHeight: 7,
  lastBlockTimeNs: 1_700_000_000_123_456_789n,
  daHeight: 0,
  appHash: hash,
  lastHeaderHash: hash,
  nextProposerAddress: hash,
};

const expected = {
  chainId: genesis.chainId,
  proposerAddress: signer.signer.address,
  nowNs: 2n ** 62n,
  signatures,
  isKnownTx: () => false,
  acceptsBlocksWithoutTxIds: true,
};

function target<Value>(
  name: string,
  values: readonly Value[],
  codec: Pick<Codec<Value>, "decode" | "use"> & { readonly encode: (value: Value) => Uint8Array },
): Target {
  return {
    name,
    shape: protobuf,
    seeds: values.map(codec.encode),
    check: checkCodec({ ...codec, isRefusal: isBlockError }),
    share: 4,
  };
}

export function isBlockError(error: unknown): boolean {
  return error instanceof BlockError;
}

/** What a block store takes as the identity of a transaction: it is a key. */
function expectIdentities(txIds: readonly Uint8Array[]): void {
  for (const { length } of txIds) {
    expectThat(length > 0 && length <= txIdMaxBytes, "holds an identity that is no key");
  }
}

export const blockTargets: readonly Target[] = [
  target(
    "block-header",
    headers.map(({ header }) => header),
    { decode: decodeHeader, encode: encodeHeader, use: headerHash },
  ),
  target("block-signed-header", headers, {
    decode: decodeSignedHeader,
    encode: encodeSignedHeader,
    use: (value) => verifySignedHeader(value, expected),
  }),
  target(
    "block-metadata",
    [full.data.metadata, empty.data.metadata].filter((one) => one !== null),
    {
      decode: decodeMetadata,
      encode: encodeMetadata,
    },
  ),
  target("block-data", data, {
    decode: decodeData,
    encode: encodeData,
    use: (value) => {
      dataHashes(value);
      verifyData(full.header.header, value);
    },
  }),
  target("block-payload", [empty, full, early], {
    decode: decodeBlockPayload,
    encode: encodeBlockPayload,
    use: (value) => {
      // What is not refused is stored.
      const verdict = checkBlock(value, secondHead, expected);
      if (verdict.kind === "ok") expectIdentities(value.txIds);
    },
  }),
  {
    name: "block-snapshot",
    shape: protobuf,
    seeds: [snapshotOf(full), snapshotOf(early), encodeBlockPayload(empty)],
    check: checkCodec<StateSnapshot>({
      decode: decodeStateSnapshot,
      encode: ({ block, recentTxIds }) =>
        concatBytes([encodeBlockPayload(block), ...recentTxIds.map(encodeTxIdsAt)]),
      isRefusal: isBlockError,
      use: ({ recentTxIds }) => {
        for (const { txIds } of recentTxIds) expectIdentities(txIds);
      },
    }),
    share: 4,
  },
  target("block-state", [state], { decode: decodeState, encode: encodeState }),
  target(
    "p2p-signed-header",
    headers.map((one) => ({ signed: one, ...heights })),
    {
      decode: decodeP2PSignedHeader,
      encode: encodeP2PSignedHeader,
      use: (value) => verifySignedHeader(value.signed, expected),
    },
  ),
  target(
    "p2p-data",
    data.map((one) => ({ data: one, ...heights })),
    { decode: decodeP2PData, encode: encodeP2PData },
  ),
  target(
    "p2p-header-request",
    [
      { kind: "range", origin: 1, amount: 64 },
      { kind: "range", origin: 0, amount: 1 },
      { kind: "hash", hash, amount: 1 },
    ],
    { decode: decodeHeaderRequest, encode: encodeHeaderRequest },
  ),
  target(
    "p2p-header-response",
    [
      { kind: "ok", body: encodeSignedHeader(signed) },
      { kind: "notFound" },
      { kind: "invalid", statusCode: 7 },
    ],
    { decode: decodeHeaderResponse, encode: encodeHeaderResponse },
  ),
];
