/**
 * Bringing the executor to the block store's head (P11): only its gap is run, while consensus runs and
 * the node says that it is not ready.
 */

import { equalBytes } from "../base/bytes.ts";
import type { BlockReader, Height } from "../block/types.ts";
import { blockToExecute, type ChainWriter } from "./chain-writer.ts";
import { blockMissing, executorDiverged } from "./errors.ts";
import { repairedBlock } from "./repaired-block.ts";

/**
 * Runs the stored blocks that the executor lacks, and in any case the last one: running a block again
 * changes nothing, and says whether the two hold the same state. An executor that is ahead is left so: it
 * answers for the blocks that it has run when the log brings them again. Returns how many were run
 * for the first time. Throws STATE_DIVERGENCE if the two differ, BLOCKS_MISSING if a block is gone.
 */
export async function replayStoredBlocks(
  blocks: BlockReader,
  chain: ChainWriter,
  signal: AbortSignal,
  onProgress: (height: Height) => void,
): Promise<number> {
  const target = blocks.head.height;
  const executed = await chain.executedHeight(signal);
  if (executed === null || blocks.earliestHeight === null) return 0;
  // Before its first block an executor is at 0, whatever the chain's first height is.
  const first = executed === 0 ? blocks.earliestHeight : Math.min(executed + 1, target);
  for (let height = first; height <= target; height++) {
    const block = await repairedBlock(blocks, height, signal);
    if (signal.aborted) return 0;
    if (block === null) throw blockMissing(height);
    const appHash = await chain.execute(blockToExecute(block), signal);
    if (appHash === null) return 0;
    if (!equalBytes(appHash, block.appHash)) throw executorDiverged(height, appHash, block.appHash);
    onProgress(height);
  }
  return Math.max(0, target - Math.max(executed, first - 1));
}
