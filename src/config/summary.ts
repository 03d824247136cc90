/** What a configuration amounts to, in a few lines: the cluster, its timeouts, and how long a failover takes. */

import { formatDuration } from "./duration.ts";
import { describeCluster } from "./rules/peers.ts";
import type { NodeConfig } from "./schema.ts";

export interface FailoverEstimate {
  /** A leader that dies: from its last heartbeat to the new leader, if the first vote decides. */
  readonly usualMs: number;
  /** The same with the longest random wait and one split vote. */
  readonly worstMs: number;
}

/**
 * Of a leader that falls silent. A follower waits 1-2 x heartbeat_timeout, and a split vote costs
 * 1-2 x election_timeout. A process that dies with its host still up is noticed at once.
 */
export function estimateFailover({ raft }: NodeConfig): FailoverEstimate {
  return {
    usualMs: 2 * raft.heartbeatTimeoutMs,
    worstMs: 2 * raft.heartbeatTimeoutMs + 2 * raft.electionTimeoutMs,
  };
}

/** One line a fact, `name: value`. */
export function summarize(config: NodeConfig): readonly string[] {
  const { node, raft, execution, rpc, p2p } = config;
  const mode = node.lazyMode
    ? `on demand, at the latest after ${formatDuration(node.lazyBlockIntervalMs)}`
    : `every ${formatDuration(node.blockTimeMs)}`;
  const shared = [
    `home: ${config.home}`,
    `blocks: ${node.aggregator ? mode : "none are produced (node.aggregator is false)"}`,
    `execution: ${execution.type === "kv" ? "kv" : `engine at ${config.evm.engineUrl}`}`,
    `listens: rpc ${rpc.address}, p2p ${p2p.listenAddress}`,
  ];
  if (!raft.enable) return [...shared, "cluster: none, a single sequencer (raft.enable is false)"];
  const estimate = estimateFailover(config);
  const coverageMs = raft.trailingLogs * node.blockTimeMs;
  return [
    ...shared,
    `member: ${raft.nodeId}, listens on ${raft.raftAddr}, ${advertised(raft.advertiseAddr)}`,
    `peers: ${raft.peers.map(({ id, address }) => `${id}@${address}`).join(", ") || "none"}`,
    `cluster: ${describeCluster(raft.peers.length + 1)}`,
    `timeouts: heartbeat ${formatDuration(raft.heartbeatTimeoutMs)}, election ` +
      `${formatDuration(raft.electionTimeoutMs)}, lease ${formatDuration(raft.leaderLeaseTimeoutMs)}, ` +
      `send ${formatDuration(raft.sendTimeoutMs)}${raft.rttMaxMs === null ? "" : ` (rtt_max ${formatDuration(raft.rttMaxMs)})`}`,
    `failover: a silent leader is replaced within ${formatDuration(estimate.usualMs)}, at worst ` +
      `(a split vote) within ${formatDuration(estimate.worstMs)}`,
    `log: a member that missed up to ${raft.trailingLogs} blocks ` +
      `(${formatDuration(coverageMs)}) catches up from it`,
  ];
}

function advertised(address: string | null): string {
  return address === null
    ? "reached at the address of its first connection to a peer"
    : `reached at ${address}`;
}
