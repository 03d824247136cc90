/** What can go wrong with the chain on this node, beyond bugs and beyond the disk. */

import { toHex } from "../base/bytes.ts";
import { CodedError } from "../base/coded-error.ts";
import type { ChainHead, Height } from "../block/types.ts";

export class SequencerError extends CodedError<
  /** This node's blocks, its executor and what is committed contradict each other: it must not go on. */
  | {
      readonly code: "STATE_DIVERGENCE";
      readonly height: Height;
      readonly ourHash: string;
      readonly theirHash: string;
    }
  /** The executor needs a block that this node has pruned or lost. */
  | { readonly code: "BLOCKS_MISSING"; readonly height: Height }
  /** A snapshot that its sender should not have sent. */
  | { readonly code: "SNAPSHOT_UNUSABLE"; readonly raftIndex: number }
> {}

const wipeThisNode =
  "If they agree, stop this node, move its data directory away, and start it: it fetches the chain from them";

/** The executor's state after the block at `height` is not what was stored with it. */
export function executorDiverged(
  height: Height,
  executed: Uint8Array,
  stored: Uint8Array,
): SequencerError {
  const [ourHash, theirHash] = [show(executed), show(stored)];
  return new SequencerError(
    { code: "STATE_DIVERGENCE", height, ourHash, theirHash },
    `state divergence at height ${height}: the executor's state has hash ${ourHash}, and the block ` +
      `store has ${theirHash}. One of the two was restored or wiped alone. Compare app_hash in /block/${height} ` +
      `of the other nodes. ${wipeThisNode}`,
  );
}

/** The committed chain does not go through our head; nothing was overwritten. `reason` has both hashes. */
export function headDiverged(
  head: Pick<ChainHead, "height" | "hash" | "appHash">,
  theirHash: Uint8Array,
  reason: string,
): SequencerError {
  const { height, hash, appHash } = head;
  return new SequencerError(
    { code: "STATE_DIVERGENCE", height, ourHash: show(hash), theirHash: show(theirHash) },
    `state divergence at height ${height}: this node holds block ${show(hash)} with state ${show(appHash)}, ` +
      `and what is committed does not build on it: ${reason}. Compare /block/${height} of all nodes. ` +
      `${wipeThisNode}. If they agree with this node, it is the leader that has diverged`,
  );
}

export function blockMissing(height: Height): SequencerError {
  return new SequencerError(
    { code: "BLOCKS_MISSING", height },
    `block ${height} is not in the block store, and the executor needs it: one of the two was restored ` +
      "or wiped alone. Restore both from one backup, or move the data directory away: the node then " +
      "fetches the chain from the others",
  );
}

export function snapshotUnusable(
  raftIndex: number,
  problem: string,
  cause?: unknown,
): SequencerError {
  return new SequencerError(
    { code: "SNAPSHOT_UNUSABLE", raftIndex },
    `the snapshot of entry ${raftIndex} cannot be used: ${problem}. Compare the versions and the ` +
      "genesis.json of all nodes, and restart this one",
    { cause },
  );
}

function show(hash: Uint8Array): string {
  return hash.length === 0 ? "none" : `0x${toHex(hash)}`;
}
