/**
 * Which of several committed blocks may be marked as to be signed (P4) before their turn comes, so that one
 * fsync does for all of them: a node that catches up would wait for one a block.
 *
 *   head <- 7 <- 8 <- 9 <- 10        7, 8 and 9
 *                     ^
 *                     +- the leader that built 10 had applied 9, and so will this node
 *
 * What nothing builds on may yet be refused, and another block signed at its height.
 */

import { equalBytes } from "../base/bytes.ts";
import type { BlockPayload, ChainHead } from "../block/types.ts";

/**
 * `payloads` in log order: entries that hold no block, or a late one, are among them. What claims to be another
 * block than it is, or of another chain, is refused when its turn comes. A signed block needs no mark, and
 * none above it may have one before it is stored: marks have no gap.
 */
export function blocksBuiltUpon(
  head: Pick<ChainHead, "height" | "hash">,
  payloads: readonly BlockPayload[],
  isClaimSound: (payload: BlockPayload) => boolean,
): readonly BlockPayload[] {
  if (payloads.length < 2) return [];
  const chain: BlockPayload[] = [];
  for (const payload of payloads) {
    const parent = chain.at(-1) ?? head;
    const { lastHeaderHash } = payload.header.header;
    const isNext = payload.height === parent.height + 1;
    if (!isNext || !equalBytes(lastHeaderHash, parent.hash) || !isClaimSound(payload)) continue;
    chain.push(payload);
  }
  const firstSigned = chain.findIndex(({ header }) => header.signature.length > 0);
  return chain.slice(0, firstSigned === -1 ? -1 : Math.min(firstSigned, chain.length - 1));
}
