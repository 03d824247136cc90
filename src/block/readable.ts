/** Reading a stored block where one that is damaged is as good as none: its store knows, and tells its node. */

import { BlockError } from "./errors.ts";
import type { BlockReader, Height, StoredBlock } from "./types.ts";

/** null if it is not held, or damaged. */
export function readableBlock(blocks: BlockReader, height: Height): StoredBlock | null {
  try {
    return blocks.blockAt(height);
  } catch (error) {
    if (error instanceof BlockError && error.code === "BLOCK_DAMAGED") return null;
    throw error;
  }
}
