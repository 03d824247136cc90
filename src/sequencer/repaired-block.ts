/** Reading a stored block that the node cannot do without. */

import { sleep } from "../base/task-group.ts";
import { BlockError } from "../block/errors.ts";
import type { BlockReader, Height, StoredBlock } from "../block/types.ts";

/** Between two looks at a block that is being fetched again. */
const pollMs = 100;

/**
 * The block, once it can be read: one that is damaged is waited for until it has been fetched again
 * (repairer.ts). null if it is not held, or `signal` aborts first.
 */
export async function repairedBlock(
  blocks: Pick<BlockReader, "blockAt">,
  height: Height,
  signal: AbortSignal,
): Promise<StoredBlock | null> {
  while (!signal.aborted) {
    try {
      return blocks.blockAt(height);
    } catch (error) {
      if (!(error instanceof BlockError) || error.code !== "BLOCK_DAMAGED") throw error;
      await sleep(pollMs, signal);
    }
  }
  return null;
}
