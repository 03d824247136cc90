/** Blocks to test with: those of the vectors, and the first ones of a chain of our own. */

import { defined } from "../../src/base/assert.ts";
import { emptyBytes, fromHex } from "../../src/base/bytes.ts";
import { buildBlock } from "../../src/block/build.ts";
import { privateKeyFromSeed } from "../../src/block/ed25519.ts";
import { BlockSigner } from "../../src/block/sign.ts";
import type { BlockPayload, ChainHead, Header } from "../../src/block/types.ts";

export const seed = Uint8Array.from({ length: 32 }, (_, at) => at);
export const signer = new BlockSigner(privateKeyFromSeed(seed));
export const genesis = {
  chainId: "evolve-test",
  initialHeight: 1,
  genesisTimeNs: 1_700_000_000_123_456_789n,
};
export const genesisAppHash = hex(
  "0373244015ce5fa583ed6e575b7a22c39a542233a62d2bd47c37fd1a2b035366",
);

/** Before the first block. */
export const firstHead: ChainHead = {
  height: 0,
  hash: emptyBytes,
  dataHash: emptyBytes,
  timeNs: genesis.genesisTimeNs,
  appHash: genesisAppHash,
  raftIndex: 0,
  raftTerm: 0,
};

export const secondHead: ChainHead = {
  height: 1,
  hash: hex("9027c31fddb78d9a00622f451b1455d8da43d9f59b34459de703023a7a84d797"),
  dataHash: hex("6b8a6d617a17baa921da54615190ecd56262032cdb76a1a85bab0b3e1f9e5a3b"),
  timeNs: genesis.genesisTimeNs,
  appHash: hex("3de0c6d1959ece558ec030f37292e383a9c95f497e8235b89701b914be9bd1fb"),
  raftIndex: 2,
  raftTerm: 1,
};

/** The unsigned block after `head`, one second later. */
export function sampleBlock(head: ChainHead, txs: readonly Uint8Array[] = []): BlockPayload {
  return buildBlock({
    head,
    genesis,
    txs,
    txIds: txs.map((_, at) => Uint8Array.of(1, at >> 8, at & 0xff)),
    nowNs: head.timeNs + 1_000_000_000n,
    proposer: signer.signer,
  });
}

export function emptyHeader(fields: Partial<Header>): Header {
  return {
    version: { block: 0, app: 0 },
    height: 0,
    timeNs: 0n,
    lastHeaderHash: emptyBytes,
    dataHash: emptyBytes,
    appHash: emptyBytes,
    proposerAddress: emptyBytes,
    validatorHash: emptyBytes,
    chainId: "",
    ...fields,
  };
}

export function hex(text: string): Uint8Array {
  return defined(fromHex(text), "the text is hexadecimal");
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
