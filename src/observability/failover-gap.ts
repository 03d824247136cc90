/**
 * How long the chain stood still when the leader changed, as this node saw it: from the last block
 * of one term to the first of the next. Pure arithmetic; the caller brings a clock that never jumps.
 */

export interface SeenBlock {
  /** The Raft term of the block's log entry. */
  readonly term: number;
  /** Monotonic time of its arrival, in milliseconds. */
  readonly seenAtMs: number;
  /** False for history: blocks that a node catches up with arrive close together, whatever happened then. */
  readonly isLive: boolean;
}

export interface FailoverGap {
  readonly gapMs: number;
  /** Block times that passed without a block; 0 if the new leader kept the cadence. */
  readonly missedSlots: number;
  readonly fromTerm: number;
  readonly toTerm: number;
}

export class FailoverGapMeter {
  readonly #blockTimeMs: number;
  #last: SeenBlock | null = null;

  /** `blockTimeMs` is `node.block_time`. In lazy mode a gap holds idle time, too, and says little. */
  constructor(blockTimeMs: number) {
    this.#blockTimeMs = blockTimeMs;
  }

  /** The gap that this block ended; null if it is no live block, or of its predecessor's term. */
  observe(block: SeenBlock): FailoverGap | null {
    const last = this.#last;
    this.#last = block;
    if (last === null || !last.isLive || !block.isLive || last.term === block.term) return null;
    const gapMs = block.seenAtMs - last.seenAtMs;
    return {
      gapMs,
      // Half a slot late is late, not missed.
      missedSlots: Math.max(0, Math.round(gapMs / this.#blockTimeMs) - 1),
      fromTerm: last.term,
      toTerm: block.term,
    };
  }
}
