/** The next block, from what is committed and what is waiting. */

import { assert } from "../base/assert.ts";
import { emptyBytes } from "../base/bytes.ts";
import { dataHashes, headerHash } from "./hash.ts";
import { transactionsPerBlockMax } from "./limits.ts";
import type { BlockPayload, ChainHead, Header, Metadata, Signer } from "./types.ts";

export interface BlockIngredients {
  /** The last applied block; its `appHash` is the state that the new block runs on. */
  readonly head: ChainHead;
  readonly genesis: {
    readonly chainId: string;
    readonly initialHeight: number;
    readonly genesisTimeNs: bigint;
  };
  readonly txs: readonly Uint8Array[];
  /** One for each transaction, in order. */
  readonly txIds: readonly Uint8Array[];
  /** The wall clock. */
  readonly nowNs: bigint;
  readonly proposer: Signer;
  readonly lastSubmittedDaHeaderHeight?: number;
  readonly lastSubmittedDaDataHeight?: number;
}

/** The unsigned block after `head`. The first one has the genesis' time; later times strictly increase. */
export function buildBlock(ingredients: BlockIngredients): BlockPayload {
  const { head, genesis, txs, txIds, proposer } = ingredients;
  assert(head.height + 1 >= genesis.initialHeight, "a block comes at the initial height or later", {
    head: head.height,
    initialHeight: genesis.initialHeight,
  });
  assert(txs.length === txIds.length, "every transaction has an identity", {
    txs: txs.length,
    txIds: txIds.length,
  });
  assert(txs.length <= transactionsPerBlockMax, "a block's transactions are bounded", {
    txs: txs.length,
  });

  const height = head.height + 1;
  const timeNs = nextTimeNs(ingredients);
  const { chainId } = genesis;
  const metadata: Metadata = { chainId, height, timeNs, lastDataHash: head.dataHash };
  const header: Header = {
    version: { block: 0, app: 0 },
    height,
    timeNs,
    lastHeaderHash: head.hash,
    dataHash: dataHashes({ metadata, txs }).commitment,
    appHash: head.appHash,
    proposerAddress: proposer.address,
    validatorHash: emptyBytes,
    chainId,
  };
  assert(timeNs <= 2n ** 64n - 1n, "a block's time fits its field", { timeNs });
  return {
    height,
    hash: headerHash(header),
    timestampNs: timeNs,
    header: { header, signature: emptyBytes, signer: proposer },
    data: { metadata, txs },
    txIds,
    lastSubmittedDaHeaderHeight: ingredients.lastSubmittedDaHeaderHeight ?? 0,
    lastSubmittedDaDataHeight: ingredients.lastSubmittedDaDataHeight ?? 0,
  };
}

/**
 * The next block's time: `nowNs`, or the beginning of the step after the one that the last block is in. A
 * clock that stands still or steps back must not stop the chain.
 */
export function nextTimeNs({
  head,
  genesis,
  nowNs,
  stepNs = 1n,
}: Pick<BlockIngredients, "head" | "genesis" | "nowNs"> & {
  /** Two blocks in a row are never in one step. */
  readonly stepNs?: bigint;
}): bigint {
  if (head.height + 1 === genesis.initialHeight) return genesis.genesisTimeNs;
  const earliestNs = (head.timeNs / stepNs + 1n) * stepNs;
  return nowNs > earliestNs ? nowNs : earliestNs;
}
