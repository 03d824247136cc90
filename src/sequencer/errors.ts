/** What can go wrong with the chain on this node, beyond bugs and beyond the disk. */

import { CodedError } from "../base/coded-error.ts";

export class SequencerError extends CodedError<
  /** This node's blocks, log or executor contradict each other: it must not go on. */
  | { readonly code: "STATE_DIVERGENCE"; readonly height: number }
  /** The log no longer holds the blocks that this node lacks. */
  | { readonly code: "BLOCKS_MISSING"; readonly height: number; readonly raftIndex: number }
> {}
