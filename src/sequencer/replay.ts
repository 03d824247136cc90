/** Bringing the executor to the block store's head before the node takes part (P11): only its gap is run. */

import { equalBytes, toHex } from "../base/bytes.ts";
import type { BlockReader } from "../block/types.ts";
import type { Executor } from "../execution/executor.ts";
import { SequencerError } from "./errors.ts";

export interface ReplayProgress {
  readonly height: number;
  readonly remaining: number;
}

const reportEveryMs = 2_000;

/**
 * Runs the stored blocks that the executor lacks. One that is ahead is left so: it answers for the
 * blocks that it has already run when the log brings them again. Returns how many were run. Throws
 * STATE_DIVERGENCE if the two hold different states at one height.
 */
export async function replayStoredBlocks(
  blocks: BlockReader,
  executor: Executor,
  onProgress: (progress: ReplayProgress) => void,
): Promise<number> {
  const target = blocks.head.height;
  const { height: executed } = await executor.head();
  const first = Math.max(executed + 1, blocks.earliestHeight ?? target + 1);
  if (executed === target) await checkHead(blocks, executor);
  let reportedMs = performance.now();
  for (let height = first; height <= target; height++) {
    const block = blocks.blockAt(height);
    if (block === null) throw missing(height);
    const { header } = block.header;
    const { appHash } = await executor.executeTxs({
      height,
      timestampNs: header.timeNs,
      txs: block.data.txs,
      prevAppHash: header.appHash,
    });
    if (!equalBytes(appHash, block.appHash)) throw diverged(height, appHash, block.appHash);
    if (performance.now() - reportedMs < reportEveryMs) continue;
    reportedMs = performance.now();
    onProgress({ height, remaining: target - height });
  }
  return Math.max(0, target - first + 1);
}

async function checkHead(blocks: BlockReader, executor: Executor): Promise<void> {
  const { height, appHash } = await executor.head();
  const stored = blocks.blockAt(height);
  if (stored === null || equalBytes(stored.appHash, appHash)) return;
  throw diverged(height, appHash, stored.appHash);
}

function diverged(height: number, executed: Uint8Array, stored: Uint8Array): SequencerError {
  return new SequencerError(
    { code: "STATE_DIVERGENCE", height },
    `state divergence at height ${height}: the executor's state has hash 0x${toHex(executed)}, and the ` +
      `block store has 0x${toHex(stored)}. One of the two was restored or wiped alone. Stop the node, wipe ` +
      "both its data directory and its raft_dir, and start it: it will fetch the chain from the others",
  );
}

function missing(height: number): SequencerError {
  return new SequencerError(
    { code: "BLOCKS_MISSING", height, raftIndex: 0 },
    `block ${height} is not in the block store, and the executor needs it. Wipe the node's data directory ` +
      "and its raft_dir, and start it: it will fetch the chain from the others",
  );
}
