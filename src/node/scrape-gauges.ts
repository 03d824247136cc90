/** Gauges that are cheaper read when Prometheus asks than kept current. */

import type { BlockReader } from "../block/types.ts";
import { EventLoopDelay } from "../observability/event-loop-delay.ts";
import type { RootLogger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import { setSequencerState } from "../observability/state-gauge.ts";
import type { Sequencer } from "../sequencer/sequencer.ts";
import { diskSpaceOf } from "../storage/disk.ts";

export interface ScrapeSources {
  readonly sequencer: Sequencer;
  readonly blocks: Pick<BlockReader, "earliestHeight">;
  readonly p2p: { readonly peers: readonly unknown[] };
  readonly log: Pick<RootLogger, "droppedLines">;
  readonly directories: { readonly data: string; readonly raft: string };
}

/** From now on every scrape reads `sources`. The returned function ends the measuring. */
export function readOnScrape(metrics: Metrics, sources: ScrapeSources): () => void {
  const loopDelay = new EventLoopDelay();
  let droppedLines = 0;
  loopDelay.start();
  metrics.process.logLinesDropped.inc(0);
  metrics.onScrape(() => {
    setLoopDelay(metrics, loopDelay);
    setChain(metrics, sources.sequencer);
    metrics.sequencer.earliestHeight.set(sources.blocks.earliestHeight ?? Number.NaN);
    metrics.p2p.peers.set(sources.p2p.peers.length);
    setDisk(metrics, "data", sources.directories.data);
    setDisk(metrics, "raft", sources.directories.raft);
    const lost = sources.log.droppedLines;
    metrics.process.logLinesDropped.inc(lost - droppedLines);
    droppedLines = lost;
  });
  return () => loopDelay.stop();
}

function setLoopDelay({ process }: Metrics, loopDelay: EventLoopDelay): void {
  const { p50Ms, p99Ms, maxMs } = loopDelay.sample();
  process.eventLoopDelay.set({ thread: "main", stat: "p50" }, p50Ms / 1000);
  process.eventLoopDelay.set({ thread: "main", stat: "p99" }, p99Ms / 1000);
  process.eventLoopDelay.set({ thread: "main", stat: "max" }, maxMs / 1000);
}

/** Events change these too, but a node that has just started has had none. */
function setChain(metrics: Metrics, sequencer: Sequencer): void {
  const { state, head, pool, unreadyReason, failingMs } = sequencer;
  metrics.execution.failingSeconds.set(failingMs / 1000);
  setSequencerState(metrics, state.kind);
  metrics.sequencer.ready.set(unreadyReason === null ? 1 : 0);
  metrics.sequencer.height.set(head.height);
  metrics.sequencer.lastBlockTimestamp.set(Number(head.timeNs / 1000n) / 1e6);
  metrics.transactions.queueLength.set(pool.size);
  metrics.transactions.queueBytes.set(pool.bytes);
}

function setDisk({ process }: Metrics, directory: "data" | "raft", path: string): void {
  const { freeBytes, sizeBytes } = diskSpaceOf(path) ?? unknownSpace;
  process.diskFreeBytes.set({ directory }, freeBytes);
  process.diskSizeBytes.set({ directory }, sizeBytes);
}

/** With NaN no comparison is true, so no alert speaks of a disk that nobody could ask. */
const unknownSpace = { freeBytes: Number.NaN, sizeBytes: Number.NaN };
