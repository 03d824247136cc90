import { describe, expect, it } from "vitest";
import { createLogger } from "../../src/observability/logger.ts";
import { createMetrics } from "../../src/observability/metrics.ts";
import { Narrator } from "../../src/observability/narrate.ts";
import type { BlockFacts, NodeEvent } from "../../src/observability/node-event.ts";
import type { RaftEvent } from "../../src/raft/event.ts";
import { MemorySink } from "./memory-sink.ts";

const labels = 'chain_id="c",node_id="node-1"';

function open() {
  const sink = new MemorySink();
  const clock = { nowMs: 0 };
  const log = createLogger({ level: "debug", format: "text" }, { sink, nowMs: () => clock.nowMs });
  const options = { namespace: "evnode", chainId: "c", nodeId: "node-1", version: "1" };
  const metrics = createMetrics(options);
  const narrator = new Narrator(
    { nodeId: "node-1", blockTimeMs: 1000 },
    { log, metrics, monotonicMs: () => clock.nowMs },
  );
  return { sink, clock, metrics, narrator };
}

function block(height: number, term = 1): BlockFacts {
  const hash = new Uint8Array(32).fill(0xab);
  return { height, hash, timeNs: BigInt(height) * 10n ** 9n, txCount: 2, sizeBytes: 300, term };
}

const hash = `0x${"ab".repeat(32)}`;

/** Operators grep for these, character by character. */
const promised: readonly (readonly [RaftEvent, string])[] = [
  [
    { kind: "followingLeader", term: 3, leaderId: "node-2" },
    "INF raft: entering follower state leader=node-2",
  ],
  [
    { kind: "becameCandidate", term: 3, isTransfer: false },
    "INF raft: entering candidate state node=node-1",
  ],
  [{ kind: "electionWon", term: 3, tally: 3 }, "INF raft: election won tally=3"],
  [
    { kind: "becameLeader", term: 3, lastLogIndex: 9 },
    "INF raft: entering leader state leader=node-1",
  ],
];

const otherRaftLines: readonly (readonly [RaftEvent, string])[] = [
  [
    { kind: "becameFollower", term: 3, reason: "higher term" },
    'DBG raft: became follower term=3 reason="higher term"',
  ],
  [{ kind: "becamePreCandidate", term: 3 }, "DBG raft: asking for pre-votes term=3"],
  [
    { kind: "electionTimeout", term: 3, silentMs: 92.4 },
    "WRN raft: heartbeat timeout reached, starting election term=3 silentMs=92",
  ],
  [
    { kind: "leaderProcessGone", term: 3, leaderId: "node-2" },
    "WRN raft: leader process is gone, starting election leader=node-2 term=3",
  ],
  [
    { kind: "quorumLost", term: 3, silent: ["node-2", "node-3"] },
    "WRN raft: failed to contact quorum of nodes, stepping down term=3 silent=node-2,node-3",
  ],
  [
    {
      kind: "replicationStalled",
      term: 3,
      commitIndex: 7,
      stalledMs: 180_000.4,
      standBackMs: 1_800_004,
    },
    "ERR raft: others answer and store nothing that is sent, stepping down term=3 commit=7 stalledMs=180000 standBackMs=1800004",
  ],
  [
    { kind: "voteRefused", term: 3, candidateId: "node-2", isPreVote: true, reason: "log behind" },
    'INF raft: rejecting pre-vote request candidate=node-2 term=3 reason="log behind"',
  ],
  [
    { kind: "logTruncated", fromIndex: 8, leaderId: "node-2" },
    "WRN raft: clearing log suffix from=8 leader=node-2",
  ],
  [
    {
      kind: "configurationChanged",
      index: 1,
      configuration: {
        servers: [
          { id: "node-1", address: "10.0.0.1:5001", suffrage: "voter" },
          { id: "node-2", address: "10.0.0.2:5001", suffrage: "nonvoter" },
        ],
      },
    },
    "INF raft: configuration changed index=1 voters=node-1 nonvoters=node-2",
  ],
  [
    { kind: "transferStarted", targetId: "node-2" },
    "INF raft: starting leadership transfer to=node-2",
  ],
  [
    { kind: "transferEnded", targetId: "node-2", outcome: "done" },
    "INF raft: leadership transfer done to=node-2",
  ],
  [
    { kind: "transferEnded", targetId: "node-2", outcome: "timeout" },
    "WRN raft: leadership transfer failed to=node-2 outcome=timeout",
  ],
  [
    { kind: "transferRefused", reason: "no voter" },
    'WRN raft: leadership transfer refused reason="no voter"',
  ],
  [
    { kind: "configurationRefused", reason: "in progress" },
    'WRN raft: configuration change refused reason="in progress"',
  ],
  [
    { kind: "snapshotSent", peerId: "node-2", index: 8 },
    "INF raft: sending snapshot to peer peer=node-2 index=8",
  ],
  [
    { kind: "snapshotAccepted", peerId: "node-2", index: 8, durationMs: 12.4 },
    "INF raft: peer has installed snapshot peer=node-2 index=8 durationMs=12",
  ],
  [
    { kind: "snapshotFailed", peerId: "node-2", index: 8, failures: 2 },
    "WRN raft: sending snapshot failed, trying again peer=node-2 index=8 failures=2",
  ],
  [
    { kind: "snapshotInstalled", leaderId: "node-2", index: 8 },
    "INF raft: installed remote snapshot leader=node-2 index=8",
  ],
  [
    {
      kind: "snapshotTaken",
      index: 9,
      term: 3,
      sizeBytes: 10,
      durationMs: 1.6,
      entriesRemoved: 4,
    },
    "INF raft: snapshot taken index=9 term=3 bytes=10 durationMs=2 entriesRemoved=4",
  ],
  [
    { kind: "snapshotTooLarge", index: 9, sizeBytes: 12, limitBytes: 10 },
    "ERR raft: snapshot is too large to be sent, the log grows: stop all nodes, lower cluster.tx_identity_window on each, start them index=9 bytes=12 limit=10",
  ],
  [
    {
      kind: "snapshotLacksRoom",
      index: 9,
      sizeBytes: 12,
      freeBytes: 70,
      neededBytes: 76,
    },
    "ERR raft: no room for a snapshot, the log grows: free some space on the disk of raft_dir index=9 bytes=12 free=70 needed=76",
  ],
  [
    { kind: "diskSlow", takesMs: 411.7, limitMs: 58.3 },
    "WRN raft: the disk of raft_dir is slow takesMs=412 limitMs=58",
  ],
  [{ kind: "diskWell" }, "INF raft: the disk of raft_dir is fast enough again"],
  [
    { kind: "hostHangs", silentMs: 15_000 },
    "ERR raft: the main thread hangs, this node is not ready to lead silentMs=15000",
  ],
  [{ kind: "hostGoesOn", hungMs: 20_000 }, "INF raft: the main thread goes on hungMs=20000"],
  [
    { kind: "snapshotDamaged", path: "3-9.snp", reason: "checksum" },
    "ERR raft: snapshot is damaged, using an older one path=3-9.snp reason=checksum",
  ],
  [
    { kind: "matchForgotten", peerId: "node-2", matchIndex: 8 },
    "WRN raft: peer lost entries it had acknowledged, sending them again peer=node-2 acknowledged=8",
  ],
];

describe("a Raft event", () => {
  it.each([...promised, ...otherRaftLines])("is one line: %j", (event, expected) => {
    const { sink, narrator } = open();
    narrator.raftEvent(event, 1234);
    expect(sink.lines).toEqual([`1970-01-01T00:00:01.234Z ${expected}`]);
  });

  it("says that the node has joined only when it has: a rolling restart waits for that line", () => {
    const { sink, narrator } = open();
    for (const [event] of otherRaftLines) narrator.raftEvent(event, 0);
    for (const line of sink.lines) expect(line).not.toMatch(/follower state|leader state/);
  });

  it("that refuses the same vote again and again is told once a term and reason", () => {
    const { sink, clock, narrator } = open();
    const refused = {
      kind: "voteRefused",
      term: 3,
      candidateId: "node-2",
      isPreVote: true,
    } as const;
    for (; clock.nowMs < 60_000; clock.nowMs += 200) {
      narrator.raftEvent({ ...refused, reason: "its log is behind" }, clock.nowMs);
    }
    narrator.raftEvent({ ...refused, reason: "node-1 leads and is heard" }, clock.nowMs);
    narrator.raftEvent({ ...refused, term: 4, reason: "its log is behind" }, clock.nowMs);
    expect(sink.lines.map((line) => line.replace(/^.*request /, ""))).toEqual([
      'candidate=node-2 term=3 reason="its log is behind"',
      'candidate=node-2 term=3 reason="node-1 leads and is heard"',
      'candidate=node-2 term=4 reason="its log is behind"',
    ]);
  });

  it("that a node cut off repeats without end is told at a bounded pace", () => {
    const { sink, clock, narrator } = open();
    for (; clock.nowMs < 60_000; clock.nowMs += 400) {
      narrator.raftEvent({ kind: "electionTimeout", term: 3, silentMs: 400 }, clock.nowMs);
    }
    expect(sink.lines.length).toBeLessThanOrEqual(13);
    expect(sink.lines.at(-1)).toMatch(/suppressed=\d+$/);
  });

  it("moves its counter", async () => {
    const { metrics, narrator } = open();
    for (const [event] of [...promised, ...otherRaftLines]) narrator.raftEvent(event, 0);
    const text = await metrics.render();
    for (const sample of [
      `raft_state_leader_total{${labels}} 1`,
      `raft_state_candidate_total{${labels}} 1`,
      `raft_transition_heartbeat_timeout_total{${labels}} 1`,
      `raft_transition_leader_lease_timeout_total{${labels}} 1`,
      `raft_leader_process_gone_total{${labels}} 1`,
      `raft_votes_refused_total{kind="pre_vote",${labels}} 1`,
      `raft_replication_install_snapshot_total{peer_id="node-2",${labels}} 1`,
      `raft_rpc_install_snapshot_total{${labels}} 1`,
      `raft_snapshot_create_total{${labels}} 1`,
      `raft_snapshot_create_duration_seconds_count{${labels}} 1`,
      `raft_log_entries_removed_total{${labels}} 4`,
      `raft_leadership_transfers_total{outcome="done",${labels}} 1`,
      `raft_match_forgotten_total{peer_id="node-2",${labels}} 1`,
    ]) {
      expect(text).toContain(`\nevnode_${sample}\n`);
    }
  });

  it("counts a change of leaders, but not the first leader", async () => {
    const { metrics, narrator } = open();
    const changes = async () => (await metrics.raft.leaderChanges.get()).values[0]?.value;
    narrator.raftEvent({ kind: "followingLeader", term: 1, leaderId: "node-2" }, 0);
    narrator.raftEvent({ kind: "followingLeader", term: 1, leaderId: "node-2" }, 0);
    expect(await changes()).toBe(0);
    narrator.raftEvent({ kind: "becameLeader", term: 2, lastLogIndex: 9 }, 0);
    narrator.raftEvent({ kind: "followingLeader", term: 3, leaderId: "node-2" }, 0);
    expect(await changes()).toBe(2);
  });
});

const nodeLines: readonly (readonly [NodeEvent, string])[] = [
  [
    { kind: "dataDiskSlow", takesMs: 411.7, limitMs: 58.3 },
    "WRN the disk of the data directory is slow takesMs=412 limitMs=58",
  ],
  [{ kind: "dataDiskWell" }, "INF the disk of the data directory is fast enough again"],
  [{ kind: "blockProduced", block: block(1) }, `INF block produced height=1 hash=${hash}`],
  [
    { kind: "blockApplied", block: block(1), source: "raft", isLive: true },
    `INF block applied from raft log height=1 hash=${hash}`,
  ],
  [
    { kind: "blockApplied", block: block(1), source: "p2p", isLive: false },
    `DBG block applied from p2p height=1 hash=${hash}`,
  ],
  [
    { kind: "blockRefused", height: 1, hash: block(1).hash, raftIndex: 9, reason: "wrong parent" },
    `ERR committed block refused height=1 hash=${hash} index=9 reason="wrong parent"`,
  ],
  [
    { kind: "stateChanged", from: "following", to: "catchingUp", reason: "elected" },
    "INF node state changed from=following to=catchingUp reason=elected",
  ],
  [
    { kind: "blocksPruned", removed: 900, earliest: 901, latest: 2000 },
    "INF old blocks removed removed=900 earliest=901 latest=2000",
  ],
  [
    { kind: "blockNotTaken", height: 7, reason: "its 17000000 bytes exceed the 16777216" },
    'WRN block not taken into the log, building another height=7 reason="its 17000000 bytes exceed the 16777216"',
  ],
  [
    { kind: "waitsForGenesis", untilMs: 1_800_000_000_000 },
    "INF the first block waits for the time of the genesis until=2027-01-15T08:00:00.000Z",
  ],
  [
    { kind: "offerRefused", leaderId: "node-2", reason: "its queue is full" },
    'WRN leader takes no transactions of ours leader=node-2 reason="its queue is full"',
  ],
  [
    { kind: "blockDamaged", height: 7, reason: "checksum" },
    "ERR stored block is damaged, fetching it again height=7 reason=checksum",
  ],
  [{ kind: "blockRepaired", height: 7 }, "INF damaged block repaired height=7"],
  [{ kind: "readinessChanged", isReady: true, reason: "" }, "INF node is ready"],
  [
    { kind: "readinessChanged", isReady: false, reason: "behind" },
    "WRN node is not ready reason=behind",
  ],
  [
    {
      kind: "backfillProgress",
      phase: "blocks",
      height: 5,
      remaining: 100,
      blocksPerSecond: 12.3,
      etaSeconds: 9,
    },
    "INF p2p: fetching missing blocks height=5 remaining=100 blocksPerSecond=12 etaSeconds=9",
  ],
  [
    {
      kind: "backfillProgress",
      phase: "headers",
      height: 2048,
      remaining: 100,
      blocksPerSecond: 12.3,
      etaSeconds: 9,
    },
    "INF p2p: checking the headers of missing blocks height=2048 remaining=100 blocksPerSecond=12 etaSeconds=9",
  ],
  [
    {
      kind: "backfillWaiting",
      fromHeight: 5,
      toHeight: 9,
      reason: "all peers have pruned it",
      oldest: { height: 7, peerId: "12D3KooW" },
    },
    'WRN p2p: waiting for missing blocks from=5 to=9 reason="all peers have pruned it" oldestAvailable=7 peer=12D3KooW',
  ],
  [
    { kind: "backfillWaiting", fromHeight: 5, toHeight: 9, reason: "no peer", oldest: null },
    'WRN p2p: waiting for missing blocks from=5 to=9 reason="no peer"',
  ],
  [
    { kind: "backfillBegan", fromHeight: 5, toHeight: 9 },
    "INF p2p: blocks are missing, fetching them from other nodes from=5 to=9",
  ],
  [
    { kind: "replayProgress", height: 5, remaining: 4 },
    "INF execution: executing stored blocks again height=5 remaining=4",
  ],
  [
    { kind: "replayEnded", height: 9, blocks: 5, seconds: 1.26 },
    "INF execution: executed stored blocks again height=9 blocks=5 seconds=1.3",
  ],
  [
    { kind: "backfillEnded", height: 9, blocks: 5, seconds: 2.04 },
    "INF p2p: missing blocks fetched height=9 blocks=5 seconds=2 blocksPerSecond=2",
  ],
  [
    { kind: "txDropped", txId: Uint8Array.of(0xab, 1), reason: "nonce too low" },
    'WRN transaction dropped, no block can take it tx=0xab01 reason="nonce too low"',
  ],
  [
    { kind: "executionFailed", height: 5, error: Object.assign(new Error("refused"), { code: 1 }) },
    "WRN execution: execution failed, retrying height=5 error=refused",
  ],
  [
    { kind: "executionRecovered", height: 5, downMs: 1500.2 },
    "INF execution: execution works again height=5 downMs=1500",
  ],
  [
    { kind: "badPeer", peerId: "12D3KooW", reason: "bad hash" },
    'WRN p2p: peer served a bad block, dropped until restart peer=12D3KooW reason="bad hash"',
  ],
  [
    { kind: "peerConnected", peerId: "node-2", address: "10.0.0.2:5001" },
    "INF raft: peer connected peer=node-2 address=10.0.0.2:5001",
  ],
  [
    { kind: "peerDisconnected", peerId: "node-2", reason: "reset" },
    "INF raft: peer disconnected peer=node-2 reason=reset",
  ],
  [
    { kind: "connectionRefused", address: "1.2.3.4:5", cause: "garbage", reason: "no RPC type" },
    'WRN raft: connection refused address=1.2.3.4:5 cause=garbage reason="no RPC type"',
  ],
];

describe("a node event", () => {
  it.each(nodeLines)("is one line", (event, expected) => {
    const { sink, narrator } = open();
    narrator.nodeEvent(event, 1234);
    expect(sink.lines).toEqual([`1970-01-01T00:00:01.234Z ${expected}`]);
  });

  it("P12: a port scan costs one line", () => {
    const { sink, narrator } = open();
    for (let host = 0; host < 1000; host++) {
      const address = `10.0.${host % 256}.1:4000`;
      narrator.nodeEvent(
        { kind: "connectionRefused", address, cause: "stranger", reason: "no member" },
        0,
      );
    }
    expect(sink.lines).toHaveLength(1);
  });

  it("moves the block metrics", async () => {
    const { metrics, narrator } = open();
    narrator.nodeEvent({ kind: "blockProduced", block: block(1) }, 0);
    narrator.nodeEvent({ kind: "blockApplied", block: block(2), source: "raft", isLive: true }, 0);
    const text = await metrics.render();
    for (const sample of [
      `sequencer_height{${labels}} 2`,
      `sequencer_latest_block_height{${labels}} 1`,
      `sequencer_total_txs{${labels}} 4`,
      `sequencer_blocks_produced_total{${labels}} 1`,
      `sequencer_blocks_synchronized_total{source="raft",${labels}} 1`,
      `sequencer_block_interval_seconds_sum{${labels}} 1`,
      `sequencer_last_block_timestamp_seconds{${labels}} 2`,
    ]) {
      expect(text).toContain(`\nevnode_${sample}\n`);
    }
  });

  it("that ends a failover is followed by how long the chain stood still", async () => {
    const { sink, clock, metrics, narrator } = open();
    narrator.nodeEvent(
      { kind: "blockApplied", block: block(1, 1), source: "raft", isLive: true },
      0,
    );
    clock.nowMs = 2734;
    narrator.nodeEvent({ kind: "blockProduced", block: block(2, 2) }, 2734);
    expect(sink.lines.at(-1)).toBe(
      "1970-01-01T00:00:02.734Z INF failover complete gapMs=2734 missedBlocks=2 fromTerm=1 term=2",
    );
    const text = await metrics.render();
    expect(text).toContain(`evnode_sequencer_failover_gap_seconds_sum{${labels}} 2.734\n`);
    expect(text).toContain(`evnode_sequencer_last_failover_gap_seconds{${labels}} 2.734\n`);
  });
});
