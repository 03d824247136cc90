/** The metrics of consensus: roles, the log, and the peers. */
import type { MetricMaker } from "./metric-maker.ts";

export function raftMetrics(make: MetricMaker) {
  return { ...raftRoleMetrics(make), ...raftLogMetrics(make), ...raftPeerMetrics(make) };
}

function raftRoleMetrics({ gauge, counter }: MetricMaker) {
  return {
    role: gauge(
      "raft_role",
      "1 for the role this node has: follower, preCandidate, candidate or leader",
      ["role"],
    ),
    term: gauge("raft_term", "Current term"),
    hasLeader: gauge(
      "raft_has_leader",
      "1 if this node knows the leader of its term, itself included",
    ),
    leader: gauge("raft_leader_info", "1 for the leader that this node knows", ["leader_id"]),
    peers: gauge("raft_peers", "Voting members of the cluster, this node included"),
    leaderChanges: counter(
      "raft_leader_changes_total",
      "Changes of leader that this node saw: a later term's leader, itself included, after an earlier one. Frequent ones mean timeouts too short for the network, or an overloaded host",
    ),
    becameFollower: counter("raft_state_follower_total", "Times this node became a follower"),
    becamePreCandidate: counter(
      "raft_candidate_pre_elect_self_total",
      "Pre-votes that this node asked for",
    ),
    becameCandidate: counter("raft_state_candidate_total", "Times this node became a candidate"),
    becameLeader: counter("raft_state_leader_total", "Times this node became leader"),
    electionTimeouts: counter(
      "raft_transition_heartbeat_timeout_total",
      "Election timeouts: nothing was heard from a leader in time. Look for lost packets, a firewall, an MTU mismatch or congestion",
    ),
    quorumLost: counter(
      "raft_transition_leader_lease_timeout_total",
      "Times this node stepped down because no majority answered within heartbeat_timeout",
    ),
    replicationStalled: counter(
      "raft_replication_stalled_total",
      "Times this node stepped down because a majority answered its heartbeats and nobody stored anything for minutes. Look for an MTU mismatch, or for disks that hang",
    ),
    leaderProcessGone: counter(
      "raft_leader_process_gone_total",
      "Times a crashed leader was noticed by its closed connection, before any timeout",
    ),
    votesRefused: counter(
      "raft_votes_refused_total",
      "Votes this node refused, by kind: vote or pre_vote",
      ["kind"],
    ),
    leadershipTransfers: counter(
      "raft_leadership_transfers_total",
      "Leadership transfers that this node began, by outcome: done, timeout, aborted or refused",
      ["outcome"],
    ),
    leaseAge: gauge(
      "raft_leader_lease_age_seconds",
      "Leader: time since a majority was sent what it answered. NaN once that exceeds leader_lease_timeout, and on other nodes",
    ),
    lastContact: gauge(
      "raft_leader_last_contact_seconds",
      "Follower: time since the leader was last heard. NaN on the leader",
    ),
  };
}

function raftLogMetrics({ gauge, counter, histogram }: MetricMaker) {
  return {
    commitIndex: gauge("raft_commit_index", "Highest log index known to be committed"),
    appliedIndex: gauge(
      "raft_applied_index",
      "Highest log index applied: its block is executed and stored",
    ),
    appliedIndexLag: gauge(
      "raft_applied_index_lag",
      "Committed entries not yet applied. Growth means the execution client or the disk is too slow",
    ),
    firstLogIndex: gauge(
      "raft_first_log_index",
      "Lowest index still in the log; a follower that needs an earlier one gets a snapshot",
    ),
    lastLogIndex: gauge("raft_last_log_index", "Highest index in the log, committed or not"),
    snapshotLastIndex: gauge("raft_snapshot_last_index", "Log index of the newest snapshot"),
    commitTime: histogram(
      "raft_commit_time_seconds",
      "Leader: from a proposal to its commit",
      fastSeconds,
    ),
    fsyncDuration: histogram(
      "raft_log_fsync_duration_seconds",
      "One durable write of the Raft log. A p99 above 10 ms asks for a faster disk",
      fastSeconds,
    ),
    logTruncations: counter(
      "raft_log_truncations_total",
      "Times a leader replaced uncommitted entries of this node's log",
    ),
    snapshotsTaken: counter("raft_snapshot_create_total", "Snapshots this node wrote"),
    snapshotDuration: histogram(
      "raft_snapshot_create_duration_seconds",
      "From asking the state machine for a snapshot to having it on disk",
      operationSeconds,
    ),
    snapshotSize: gauge("raft_snapshot_size_bytes", "State in the newest snapshot of this node"),
    logEntriesRemoved: counter(
      "raft_log_entries_removed_total",
      "Log entries removed because a snapshot covers them",
    ),
    snapshotsTooLarge: counter(
      "raft_snapshot_too_large_total",
      "Snapshots that were not kept as no peer would take one so large; the log grows meanwhile",
    ),
    snapshotsLackingRoom: counter(
      "raft_snapshot_no_room_total",
      "Snapshots that were not kept as the disk of raft_dir has no room for them; the log grows meanwhile",
    ),
    snapshotsDamaged: counter(
      "raft_snapshot_damaged_total",
      "Snapshots on disk that were damaged and passed over for an older one",
    ),
    snapshotsSent: counter(
      "raft_replication_install_snapshot_total",
      "Snapshots this leader sent to a follower that fell behind trailing_logs",
      ["peer_id"],
    ),
    snapshotSendFailures: counter(
      "raft_replication_install_snapshot_failures_total",
      "Snapshots that did not arrive, and are sent again after a pause",
      ["peer_id"],
    ),
    snapshotSendDuration: histogram(
      "raft_replication_install_snapshot_duration_seconds",
      "From sending a snapshot to a follower having it on disk",
      operationSeconds,
    ),
    snapshotsInstalled: counter(
      "raft_rpc_install_snapshot_total",
      "Snapshots this node installed because it had fallen behind trailing_logs",
    ),
    matchesForgotten: counter(
      "raft_match_forgotten_total",
      "Times a follower's log no longer held what it had acknowledged: it lost its disk",
      ["peer_id"],
    ),
  };
}

function raftPeerMetrics({ gauge, counter, histogram }: MetricMaker) {
  return {
    peerRoundTripTime: histogram(
      "raft_peer_round_trip_time_seconds",
      "Round trip of a heartbeat to a peer. heartbeat_timeout should be four times the highest",
      fastSeconds,
      ["peer_id"],
    ),
    peerMatchLag: gauge(
      "raft_peer_match_lag",
      "Leader: log entries that a peer does not have yet",
      ["peer_id"],
    ),
    peerHeartbeatAge: gauge("raft_peer_heartbeat_age_seconds", "Time since a peer was last heard", [
      "peer_id",
    ]),
    peerHealth: gauge(
      "raft_peer_health",
      "1 for a peer's health: healthy, degraded or unreachable. A follower tells it of its leader only",
      ["peer_id", "health"],
    ),
    peerConnected: gauge("raft_peer_connected", "1 while this node has a connection to a peer", [
      "peer_id",
    ]),
    peerSentBytes: counter("raft_peer_send_bytes_total", "Bytes sent to a peer", ["peer_id"]),
    peerReceivedBytes: counter("raft_peer_receive_bytes_total", "Bytes received from a peer", [
      "peer_id",
    ]),
    peerRpcFailures: counter("raft_peer_rpc_failures_total", "RPCs to a peer that got no answer", [
      "peer_id",
    ]),
    connectionsRefused: counter(
      "raft_connections_refused_total",
      "Connections to the Raft port that were refused or closed, by reason",
      ["reason"],
    ),
  };
}

const fastSeconds = [
  0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
];
/** Of what takes a disk, an executor or a client. */
export const operationSeconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
