/** Who leads: the Raft cluster, and how patient a node is with it. */

import {
  bool,
  duration,
  ignored,
  list,
  listenAddress,
  optionalAddress,
  optionalDuration,
  path,
  raftPeers,
  text,
  whole,
} from "../key.ts";

/** Not written by `init`, since a timeout that is set no longer follows raft.rtt_max. */
const fromRtt = { isUnsetByDefault: true };

export const raftKeys = {
  enable: bool(false, "Be a member of a Raft cluster. Needs node.aggregator: true."),
  node_id: text("", "This member's name: unique, and never changed once the cluster runs.", {
    example: "node-1",
  }),
  raft_addr: listenAddress("", "Where this member listens for the others; 0.0.0.0 is allowed.", {
    example: "0.0.0.0:5001",
  }),
  advertise_addr: optionalAddress(
    "Where the others reach this member, if that is neither its entry in their raft.peers nor raft_addr.",
    { example: "10.0.0.1:5001" },
  ),
  raft_dir: path(
    "raft",
    "Log, term and vote: on a disk that survives restarts. Relative to the home directory.",
  ),
  peers: raftPeers(
    "The members of the cluster, with or without this one, so that one list serves all of them.",
    { example: "node-2@10.0.0.2:5001,node-3@10.0.0.3:5001" },
  ),
  bootstrap: ignored(
    bool(false, "Without effect, as in ev-node: an empty raft_dir is recognised by itself."),
    null,
  ),
  rtt_max: optionalDuration(
    "Longest round trip between two members. Sets the four timeouts that are not set themselves: " +
      "heartbeat = 4 x rtt, election = 4 x heartbeat, lease = heartbeat / 2, send = 3 x rtt.",
    { example: "25ms" },
  ),
  heartbeat_timeout: duration(
    "350ms",
    "A follower that hears nothing for this long, and up to twice as long, campaigns. 4-5 x the round trip.",
    fromRtt,
  ),
  election_timeout: duration(
    "1s",
    "A candidate without a majority for this long tries again. 4 x heartbeat_timeout; 0 for 1s.",
    fromRtt,
  ),
  leader_lease_timeout: duration(
    "175ms",
    "A leader that no majority answers for this long builds no blocks until one does. Half of heartbeat_timeout.",
    fromRtt,
  ),
  send_timeout: duration(
    "200ms",
    "A request to a member fails after this long. 2-3 x the round trip.",
    fromRtt,
  ),
  snapshot_threshold: whole(500, "Entries from one snapshot to the next; 0 for 8192."),
  trailing_logs: whole(
    200,
    "Entries kept behind a snapshot: a member that missed no more catches up from the log. " +
      "One entry a block: 18000 covers 5 hours of 1s blocks. 0 for 10240.",
  ),
  snap_count: whole(3, "Snapshots kept, so that a damaged one can be passed over.", { min: 1 }),
  sign_before_commit: bool(
    false,
    "Sign a block before it is proposed: only for a cluster that still has ev-node members.",
  ),
  allow_from: list("Addresses or networks that may connect besides the peers' own.", {
    example: "10.0.0.0/24",
  }),
  priority: whole(0, "Among members equally fit to lead, a hand-over prefers the highest.", {
    min: -1000,
    max: 1000,
  }),
};

/** No client waits longer, and no timer much longer. */
const waitMaxMs = 24 * 3_600_000;

export const clusterKeys = {
  wait_for_leader_timeout: duration("15s", "How long a transaction waits for a leader.", {
    minMs: 0,
    maxMs: waitMaxMs,
  }),
  commit_retries: whole(1, "How often a transaction is offered again after a change of leaders.", {
    max: 100,
  }),
  commit_retry_delay: duration("200ms", "Pause before it is offered again.", {
    minMs: 0,
    maxMs: waitMaxMs,
  }),
  tx_commit_timeout: duration(
    "10s",
    "How long a transaction waits for its block, in all, while there is a leader.",
    { minMs: 1, maxMs: waitMaxMs },
  ),
  tx_identity_window: whole(
    10000,
    "Blocks for which a transaction's identity is remembered: sent again, it is not executed again. The same on all nodes; to change it stop all of them first.",
    { min: 1 },
  ),
};
