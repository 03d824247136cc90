/** Events -> exactly one log line each, and the metrics they change. Nothing else narrates. */
import type { RaftEvent } from "../raft/event.ts";
import type { ServerId } from "../raft/types.ts";
import { NodeEventCounter } from "./count-node.ts";
import { RaftEventCounter } from "./count-raft.ts";
import { describeNodeEvent } from "./describe-node.ts";
import { describeRaftEvent } from "./describe-raft.ts";
import { FailoverGapMeter } from "./failover-gap.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";
import { line, writeNarration } from "./narration.ts";
import type { BlockFacts, NodeEvent } from "./node-event.ts";

export interface NarratorOptions {
  readonly nodeId: ServerId;
  /** `node.block_time`; null in lazy mode, where a gap without blocks means nothing. */
  readonly blockTimeMs: number | null;
}

export interface NarratorDependencies {
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Never steps back; for the failover gap. */
  readonly monotonicMs?: () => number;
}

export class Narrator {
  readonly #nodeId: ServerId;
  readonly #log: Logger;
  readonly #metrics: Metrics;
  readonly #monotonicMs: () => number;
  readonly #raftCounter: RaftEventCounter;
  readonly #nodeCounter: NodeEventCounter;
  readonly #failoverGap: FailoverGapMeter | null;

  constructor(
    { nodeId, blockTimeMs }: NarratorOptions,
    { log, metrics, monotonicMs = () => performance.now() }: NarratorDependencies,
  ) {
    this.#nodeId = nodeId;
    this.#log = log;
    this.#metrics = metrics;
    this.#monotonicMs = monotonicMs;
    this.#raftCounter = new RaftEventCounter(metrics);
    this.#nodeCounter = new NodeEventCounter(metrics);
    this.#failoverGap = blockTimeMs === null ? null : new FailoverGapMeter(blockTimeMs);
  }

  /** `atMs` is when it happened, by the consensus thread's wall clock: events reach this thread late. */
  raftEvent(event: RaftEvent, atMs: number): void {
    writeNarration(this.#log, describeRaftEvent(event, this.#nodeId), atMs);
    this.#raftCounter.count(event);
  }

  nodeEvent(event: NodeEvent, atMs: number = Date.now()): void {
    writeNarration(this.#log, describeNodeEvent(event), atMs);
    this.#nodeCounter.count(event);
    if (event.kind === "blockProduced") this.#measureGap(event.block, true, atMs);
    if (event.kind === "blockApplied") this.#measureGap(event.block, event.isLive, atMs);
  }

  #measureGap({ term }: BlockFacts, isLive: boolean, atMs: number): void {
    const gap = this.#failoverGap?.observe({ term, seenAtMs: this.#monotonicMs(), isLive });
    if (gap === null || gap === undefined) return;
    this.#metrics.sequencer.failoverGap.observe(gap.gapMs / 1000);
    this.#metrics.sequencer.lastFailoverGap.set(gap.gapMs / 1000);
    const facts = {
      gapMs: Math.round(gap.gapMs),
      missedBlocks: gap.missedSlots,
      fromTerm: gap.fromTerm,
      term: gap.toTerm,
    };
    writeNarration(this.#log, line("", "info", facts, "failover complete"), atMs);
  }
}
