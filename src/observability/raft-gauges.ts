/**
 * What the consensus thread reports now and then: gauges as they are, durations as the samples
 * since the last report, and byte and failure counts as totals since its start.
 */
import type { LogIndex, ServerId, Term } from "../raft/types.ts";
import type { Metrics } from "./metrics.ts";
import type { PeerHealth, RaftRole } from "./state-gauge.ts";
import { setPeerHealth, setRole } from "./state-gauge.ts";

export interface RaftReport {
  readonly role: RaftRole;
  readonly term: Term;
  readonly leaderId: ServerId | null;
  readonly voterCount: number;
  readonly commitIndex: LogIndex;
  readonly appliedIndex: LogIndex;
  readonly firstLogIndex: LogIndex;
  readonly lastLogIndex: LogIndex;
  /** 0 without a snapshot. */
  readonly snapshotLastIndex: LogIndex;
  /** Since a majority last answered; null unless leader. */
  readonly leaseAgeMs: number | null;
  /** Since the leader was last heard; null on the leader, and before any. */
  readonly lastContactMs: number | null;
  readonly fsyncSamplesMs: readonly number[];
  readonly commitSamplesMs: readonly number[];
  readonly peers: readonly PeerReport[];
}

export interface PeerReport {
  readonly id: ServerId;
  /** null if this node cannot know: a follower hears of nobody but the leader. */
  readonly health: PeerHealth | null;
  readonly roundTripSamplesMs: readonly number[];
  /** Highest index the peer is known to have; null unless leader. */
  readonly matchIndex: LogIndex | null;
  /** Since it was last heard; null if never. */
  readonly heartbeatAgeMs: number | null;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly rpcFailures: number;
}

export function recordRaftReport(report: RaftReport, metrics: Metrics): void {
  const { raft } = metrics;
  setRole(metrics, report.role);
  raft.term.set(report.term);
  raft.peers.set(report.voterCount);
  raft.leader.reset();
  if (report.leaderId !== null) raft.leader.set({ leader_id: report.leaderId }, 1);
  raft.hasLeader.set(report.leaderId === null ? 0 : 1);
  recordLog(report, metrics);
  recordPeers(report, metrics);
}

function recordLog(report: RaftReport, { raft }: Metrics): void {
  raft.commitIndex.set(report.commitIndex);
  raft.appliedIndex.set(report.appliedIndex);
  raft.appliedIndexLag.set(Math.max(0, report.commitIndex - report.appliedIndex));
  raft.firstLogIndex.set(report.firstLogIndex);
  raft.lastLogIndex.set(report.lastLogIndex);
  raft.snapshotLastIndex.set(report.snapshotLastIndex);
  raft.leaseAge.set(secondsOrNaN(report.leaseAgeMs));
  raft.lastContact.set(secondsOrNaN(report.lastContactMs));
  for (const ms of report.fsyncSamplesMs) raft.fsyncDuration.observe(ms / 1000);
  for (const ms of report.commitSamplesMs) raft.commitTime.observe(ms / 1000);
}

function recordPeers(report: RaftReport, metrics: Metrics): void {
  const { raft } = metrics;
  // Cleared first, so that a removed peer and a former leader's lags do not linger.
  for (const gauge of [raft.peerHealth, raft.peerMatchLag, raft.peerHeartbeatAge]) gauge.reset();
  for (const counter of [raft.peerSentBytes, raft.peerReceivedBytes, raft.peerRpcFailures]) {
    counter.reset();
  }
  for (const peer of report.peers) recordPeer(peer, report.lastLogIndex, metrics);
}

function recordPeer(peer: PeerReport, lastLogIndex: LogIndex, metrics: Metrics): void {
  const { raft } = metrics;
  const labels = { peer_id: peer.id };
  if (peer.health !== null) setPeerHealth(metrics, peer.id, peer.health);
  for (const ms of peer.roundTripSamplesMs) raft.peerRoundTripTime.observe(labels, ms / 1000);
  if (peer.matchIndex !== null) {
    raft.peerMatchLag.set(labels, Math.max(0, lastLogIndex - peer.matchIndex));
  }
  if (peer.heartbeatAgeMs !== null) raft.peerHeartbeatAge.set(labels, peer.heartbeatAgeMs / 1000);
  raft.snapshotsSent.inc(labels, 0);
  raft.snapshotSendFailures.inc(labels, 0);
  raft.matchesForgotten.inc(labels, 0);
  raft.peerSentBytes.inc(labels, peer.sentBytes);
  raft.peerReceivedBytes.inc(labels, peer.receivedBytes);
  raft.peerRpcFailures.inc(labels, peer.rpcFailures);
}

/** Prometheus' word for "does not apply": no comparison with it is true, so no alert fires. */
function secondsOrNaN(ms: number | null): number {
  return ms === null ? Number.NaN : ms / 1000;
}
