/**
 * Every metric of the node, with its help text. Names are `<namespace>_<part>_<name>`: `sequencer`
 * holds ev-node's metrics under its names, and `raft` has hashicorp's stems (`raft.state.leader` is
 * `raft_state_leader_total`). All carry the labels chain_id and node_id; other labels have few values.
 */
import { Registry } from "prom-client";
import type { MetricMaker } from "./metric-maker.ts";
import { collectProcessMetrics, metricMaker } from "./metric-maker.ts";
import { operationSeconds, raftMetrics } from "./metrics-raft.ts";
import { setRole } from "./state-gauge.ts";

export interface MetricsOptions {
  /** `instrumentation.namespace`. */
  readonly namespace: string;
  readonly chainId: string;
  readonly nodeId: string;
  readonly version: string;
}

export type Metrics = ReturnType<typeof createMetrics>;

/** The node's metrics in a registry of their own. */
export function createMetrics({ namespace, chainId, nodeId, version }: MetricsOptions) {
  const registry = new Registry();
  registry.setDefaultLabels({ chain_id: chainId, node_id: nodeId });
  const make = metricMaker(registry, namespace);
  const beforeScrape: (() => void)[] = [];
  const metrics = {
    registry,
    raft: raftMetrics(make),
    sequencer: { ...sequencerMetrics(make), ...failoverMetrics(make) },
    transactions: transactionMetrics(make),
    execution: executionMetrics(make),
    p2p: p2pMetrics(make),
    rpc: rpcMetrics(make),
    process: processMetrics(make),
    /** For gauges that are cheaper read when asked than kept current: `sample` runs before each scrape. */
    onScrape(sample: () => void): void {
      beforeScrape.push(sample);
    },
    /** The exposition in Prometheus' text format, content type `registry.contentType`. */
    render(): Promise<string> {
      for (const sample of beforeScrape) sample();
      return registry.metrics();
    },
  };
  metrics.process.buildInfo.set({ version }, 1);
  beginSeries(metrics);
  // Nobody leads as long as no member has come so far that it could: that is an alert.
  setRole(metrics, "follower");
  collectProcessMetrics(registry);
  return metrics;
}

/**
 * Counters with known labels show from the start, or Prometheus would miss the first step, from nothing
 * to 1; and a gauge of which nothing is known yet says so: with NaN no comparison is true.
 */
function beginSeries({
  raft,
  sequencer,
  execution,
  p2p,
}: Pick<Metrics, "raft" | "sequencer" | "execution" | "p2p">): void {
  for (const kind of ["vote", "pre_vote"]) raft.votesRefused.inc({ kind }, 0);
  for (const outcome of ["done", "timeout", "aborted", "refused"]) {
    raft.leadershipTransfers.inc({ outcome }, 0);
  }
  for (const reason of ["stranger", "garbage", "timeout", "overload"]) {
    raft.connectionsRefused.inc({ reason }, 0);
  }
  for (const kind of ["connection", "request"]) p2p.refused.inc({ kind }, 0);
  raft.leaseAge.set(Number.NaN);
  raft.lastContact.set(Number.NaN);
  sequencer.height.set(Number.NaN);
  sequencer.earliestHeight.set(Number.NaN);
  sequencer.lastBlockTimestamp.set(Number.NaN);
  execution.healthy.set(1);
}

function sequencerMetrics({ gauge, counter, histogram }: MetricMaker) {
  return {
    height: gauge("sequencer_height", "Height of the last block executed and stored"),
    earliestHeight: gauge("sequencer_earliest_height", "Height of the oldest block stored here"),
    blocksPruned: counter("sequencer_blocks_pruned_total", "Old blocks removed (pruning)"),
    blocksDamaged: counter(
      "sequencer_blocks_damaged_total",
      "Stored blocks that could not be read. Check the disk",
    ),
    blocksRepaired: counter(
      "sequencer_blocks_repaired_total",
      "Damaged blocks that were fetched again from other nodes",
    ),
    latestBlockHeight: gauge(
      "sequencer_latest_block_height",
      "Height of the last block this node produced",
    ),
    numTxs: gauge("sequencer_num_txs", "Transactions in the last block"),
    blockSizeBytes: gauge("sequencer_block_size_bytes", "Size of the last block"),
    totalTxs: gauge("sequencer_total_txs", "Transactions executed since the process started"),
    txsPerBlock: histogram("sequencer_txs_per_block", "Transactions in a block", txsPerBlock),
    operationDuration: histogram(
      "sequencer_operation_duration_seconds",
      "Duration of block_production (from when it is due until it is applied), block_validation or state_update (execution)",
      operationSeconds,
      ["operation"],
    ),
    blocksSynchronized: counter(
      "sequencer_blocks_synchronized_total",
      "Blocks that came from others, by source: raft or p2p",
      ["source"],
    ),
    blocksProduced: counter(
      "sequencer_blocks_produced_total",
      "Blocks this node produced that were committed",
    ),
    blocksRefused: counter(
      "sequencer_blocks_refused_total",
      "Committed blocks that failed the check and were refused on every node",
    ),
    blockInterval: histogram(
      "sequencer_block_interval_seconds",
      "Time between two blocks by their timestamps",
      intervalSeconds,
    ),
    lastBlockTimestamp: gauge(
      "sequencer_last_block_timestamp_seconds",
      "Timestamp of the last block, Unix time",
    ),
    state: gauge(
      "sequencer_state",
      "1 for what the node is doing: recovering, following, catchingUp, producing or draining",
      ["state"],
    ),
    ready: gauge(
      "sequencer_ready",
      "1 if the node is fit to lead: it lacks nothing committed, executes, its disks keep up, its entries reach the others, and it is not draining",
    ),
    backfillRemaining: gauge(
      "sequencer_backfill_remaining_blocks",
      "Blocks still to be fetched from other nodes",
    ),
    backfillRate: gauge(
      "sequencer_backfill_blocks_per_second",
      "Blocks fetched from other nodes and applied in a second, of late; 0 when none are fetched",
    ),
    backfillTimeLeft: gauge(
      "sequencer_backfill_time_left_seconds",
      "Time until all missing blocks are fetched, at that rate; NaN while nobody serves them",
    ),
  };
}

function failoverMetrics({ gauge, histogram }: MetricMaker) {
  return {
    failoverGap: histogram(
      "sequencer_failover_gap_seconds",
      "Time without blocks around a change of leaders, as this node saw it",
      gapSeconds,
    ),
    lastFailoverGap: gauge("sequencer_last_failover_gap_seconds", "The most recent failover gap"),
  };
}

function transactionMetrics({ gauge, counter, histogram }: MetricMaker) {
  return {
    queueLength: gauge("sequencer_queue_txs", "Transactions waiting on this node"),
    queueBytes: gauge("sequencer_queue_bytes", "Size of the transactions waiting on this node"),
    refused: counter("sequencer_txs_refused_total", "Transactions that were not taken, by reason", [
      "reason",
    ]),
    dropped: counter(
      "sequencer_txs_dropped_total",
      "Accepted transactions given up: their nonce was used by another, or no block took them in time",
    ),
    commitDuration: histogram(
      "sequencer_tx_commit_duration_seconds",
      "From a transaction's arrival on this node to its execution in a committed block",
      operationSeconds,
    ),
  };
}

function executionMetrics({ gauge, counter, histogram }: MetricMaker) {
  return {
    healthy: gauge(
      "execution_healthy",
      "1 if the last block was executed, 0 while execution fails",
    ),
    replayRemaining: gauge(
      "execution_replay_remaining_blocks",
      "Stored blocks that the execution client has not got yet",
    ),
    failures: counter(
      "execution_failures_total",
      "Attempts to build or execute a block that failed",
    ),
    failingSeconds: gauge(
      "execution_failing_seconds",
      "How long the execution client has failed or been silent, 0 while it answers. Beyond execution.unready_after the node is not ready",
    ),
    callDuration: histogram(
      "execution_call_duration_seconds",
      "Calls to the execution client, answered or not, by method",
      operationSeconds,
      ["method"],
    ),
    callsFailed: counter(
      "execution_calls_failed_total",
      "Calls to the execution client without a result, by method: no answer, a malformed one, or a refusal",
      ["method"],
    ),
  };
}

function p2pMetrics({ gauge, counter }: MetricMaker) {
  return {
    peers: gauge("p2p_peers", "Connected p2p peers"),
    badPeers: counter(
      "p2p_bad_peers_total",
      "Peers dropped because they served a wrong or malformed block",
    ),
    refused: counter(
      "p2p_refused_total",
      "What p2p peers were refused, by kind: connection or request",
      ["kind"],
    ),
  };
}

function rpcMetrics({ counter, histogram }: MetricMaker) {
  return {
    requests: counter(
      "rpc_requests_total",
      "HTTP requests, by route pattern and status class (2xx)",
      ["route", "status"],
    ),
    requestDuration: histogram(
      "rpc_request_duration_seconds",
      "Time to answer an HTTP request",
      operationSeconds,
      ["route"],
    ),
  };
}

function processMetrics({ gauge, counter }: MetricMaker) {
  return {
    buildInfo: gauge("build_info", "1 for the running version", ["version"]),
    eventLoopDelay: gauge(
      "event_loop_delay_seconds",
      "How late timers ran since the last scrape, by thread (main, consensus) and stat (p50, p99, max); of the consensus thread each is that of its worst 200 ms",
      ["thread", "stat"],
    ),
    mainThreadHung: counter(
      "main_thread_hung_total",
      "Times that the main thread did nothing for 10 s or longer: the node was not ready to lead, and a leader handed over",
    ),
    diskFreeBytes: gauge(
      "disk_free_bytes",
      "Space left for this user on the file system of a directory: data or raft",
      ["directory"],
    ),
    diskSizeBytes: gauge(
      "disk_size_bytes",
      "Size of the file system of a directory: data or raft",
      ["directory"],
    ),
    diskSlow: gauge(
      "disk_slow",
      "1 while writes to a directory (data or raft) take too long to lead with: another node is to",
      ["directory"],
    ),
    diskFoundSlow: counter(
      "disk_slow_total",
      "Times that writes to a directory (data or raft) began to take too long to lead with",
      ["directory"],
    ),
    logLinesDropped: counter(
      "log_lines_dropped_total",
      "Log lines lost to a slow reader or a full disk",
    ),
  };
}

const intervalSeconds = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2, 3, 5, 10, 30, 60];
const gapSeconds = [0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 5, 10, 30, 60];
/** ev-node's. */
const txsPerBlock = [0, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000];
