/** NodeEvent -> the metrics that it changes. */
import { unreachable } from "../base/assert.ts";
import type { Metrics } from "./metrics.ts";
import type { BlockFacts, NodeEvent } from "./node-event.ts";
import { setSequencerState } from "./state-gauge.ts";

export class NodeEventCounter {
  readonly #metrics: Metrics;
  #lastBlock: BlockFacts | null = null;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  count(event: NodeEvent): void {
    const { sequencer, transactions, execution, raft, p2p, process } = this.#metrics;
    switch (event.kind) {
      case "blockProduced":
        this.#countBlock(event.block);
        sequencer.blocksProduced.inc();
        sequencer.latestBlockHeight.set(event.block.height);
        break;
      case "blockApplied":
        this.#countBlock(event.block);
        sequencer.blocksSynchronized.inc({ source: event.source });
        break;
      case "blockRefused":
        sequencer.blocksRefused.inc();
        break;
      case "stateChanged":
        setSequencerState(this.#metrics, event.to);
        break;
      case "readinessChanged":
        // The scrape asks for itself.
        break;
      case "backfillProgress":
        // Headers are counted again as blocks: together they are what is left to do.
        if (event.phase === "headers") break;
        sequencer.backfillRemaining.set(event.remaining);
        sequencer.backfillRate.set(event.blocksPerSecond);
        sequencer.backfillTimeLeft.set(event.etaSeconds);
        break;
      case "backfillWaiting":
        sequencer.backfillRemaining.set(event.toHeight - event.fromHeight + 1);
        sequencer.backfillRate.set(0);
        sequencer.backfillTimeLeft.set(Number.NaN);
        break;
      case "backfillBegan":
        sequencer.backfillRemaining.set(event.toHeight - event.fromHeight + 1);
        break;
      case "replayProgress":
        execution.replayRemaining.set(event.remaining);
        break;
      case "replayEnded":
        execution.replayRemaining.set(0);
        break;
      case "backfillEnded":
        sequencer.backfillRemaining.set(0);
        sequencer.backfillRate.set(0);
        sequencer.backfillTimeLeft.set(0);
        break;
      case "blocksPruned":
        sequencer.blocksPruned.inc(event.removed);
        sequencer.earliestHeight.set(event.earliest);
        break;
      case "txDropped":
        transactions.dropped.inc();
        break;
      case "offerRefused":
      case "blockNotTaken":
      case "waitsForGenesis":
        break;
      case "dataDiskSlow":
        process.diskSlow.set({ directory: "data" }, 1);
        process.diskFoundSlow.inc({ directory: "data" });
        break;
      case "dataDiskWell":
        process.diskSlow.set({ directory: "data" }, 0);
        break;
      case "blockDamaged":
        sequencer.blocksDamaged.inc();
        break;
      case "blockRepaired":
        sequencer.blocksRepaired.inc();
        break;
      case "badPeer":
        p2p.badPeers.inc();
        break;
      case "executionFailed":
        execution.failures.inc();
        execution.healthy.set(0);
        break;
      case "executionRecovered":
        execution.healthy.set(1);
        break;
      case "peerConnected":
      case "peerDisconnected":
        raft.peerConnected.set({ peer_id: event.peerId }, event.kind === "peerConnected" ? 1 : 0);
        break;
      case "connectionRefused":
        raft.connectionsRefused.inc({ reason: event.cause });
        break;
      default:
        unreachable(event);
    }
  }

  #countBlock(block: BlockFacts): void {
    const { sequencer, execution } = this.#metrics;
    const last = this.#lastBlock;
    this.#lastBlock = block;
    execution.healthy.set(1);
    sequencer.height.set(block.height);
    sequencer.numTxs.set(block.txCount);
    sequencer.blockSizeBytes.set(block.sizeBytes);
    sequencer.totalTxs.inc(block.txCount);
    sequencer.txsPerBlock.observe(block.txCount);
    sequencer.lastBlockTimestamp.set(secondsOf(block.timeNs));
    if (last !== null && last.height + 1 === block.height) {
      sequencer.blockInterval.observe(secondsOf(block.timeNs - last.timeNs));
    }
  }
}

function secondsOf(timeNs: bigint): number {
  return Number(timeNs / 1000n) / 1e6;
}
