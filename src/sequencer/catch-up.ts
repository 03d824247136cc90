/**
 * The blocks between our head and one that is committed, from other nodes. Each goes through the same
 * executor and store as a block of the log; what is different is that its signature comes with it, and
 * that its log entry is not known: it is stored with index 0. A restart therefore resumes at nothing, and
 * is given the snapshot once more.
 */

import type { TxIdsAt } from "../block/snapshot-codec.ts";
import type { Height, StoredBlock } from "../block/types.ts";
import { checkLink } from "../block/validate.ts";
import type { ChainWriter } from "./chain-writer.ts";
import { headDiverged } from "./errors.ts";
import type { BlockSource, FetchedBlock } from "./ports.ts";

export interface Target {
  readonly height: Height;
  readonly hash: Uint8Array;
  /** Of blocks up to the target, as far as their transactions must be known. */
  readonly txIdsAt: ReadonlyMap<Height, readonly Uint8Array[]>;
}

export interface FetchListener {
  /** Before it is stored: what its transactions are called is not known any more. */
  readonly unidentified: (block: UnidentifiedBlock) => void;
  readonly stored: (block: StoredBlock) => void;
}

export type UnidentifiedBlock = Pick<FetchedBlock, "height" | "data">;

/** Resolves once the head is the target, or `signal` aborts. Throws STATE_DIVERGENCE, and what the source throws. */
export async function fetchBlocks(
  chain: ChainWriter,
  source: BlockSource,
  { height, hash, txIdsAt }: Target,
  signal: AbortSignal,
  { unidentified, stored: onStored }: FetchListener,
): Promise<void> {
  try {
    const gap = { parent: chain.head, target: { height, hash } };
    for await (const block of source.blocks(gap, signal)) {
      // Its place in the chain is proven. That our state is the one it was built on is not.
      const refusal = checkLink(block.header.header, chain.head);
      if (refusal !== null) throw headDiverged(chain.head, block.hash, refusal.reason);
      const txIds = txIdsAt.get(block.height) ?? [];
      if (txIds.length === 0 && block.data.txs.length > 0) unidentified(block);
      const next = { ...block, txIds, raftIndex: 0, raftTerm: 0 };
      const stored = await chain.append(next, signal);
      if (stored === null) return;
      onStored(stored);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

export function byHeight(identities: readonly TxIdsAt[]): Target["txIdsAt"] {
  return new Map(identities.map(({ height, txIds }) => [height, txIds]));
}
