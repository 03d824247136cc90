/** A small chain to store. */

import { buildBlock } from "../../src/block/build.ts";
import type { ChainHead, StoredBlock } from "../../src/block/types.ts";
import type { ChainIdentity } from "../../src/storage/chain-identity.ts";

export const genesis: ChainIdentity = {
  chainId: "test-chain",
  initialHeight: 1,
  genesisTimeNs: 1_700_000_000_000_000_000n,
  genesisHash: new Uint8Array(32).fill(1),
  appHash: new Uint8Array(32).fill(2),
};

const signer = { address: new Uint8Array(32).fill(3), publicKey: new Uint8Array(36).fill(4) };

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** The block after `head`, with a transaction for each identity. */
export function blockAfter(head: ChainHead, ids: readonly string[] = []): StoredBlock {
  const txIds = ids.map(text);
  const txs = ids.map((id) => text(`transaction ${id}`));
  const nowNs = head.timeNs + 1_000_000_000n;
  const payload = buildBlock({ head, genesis, txs, txIds, nowNs, proposer: signer });
  return {
    height: payload.height,
    hash: payload.hash,
    header: { ...payload.header, signature: new Uint8Array(64).fill(5) },
    data: payload.data,
    txIds,
    appHash: new Uint8Array(32).fill(payload.height % 256),
    raftIndex: payload.height + 10,
    raftTerm: 2,
  };
}
