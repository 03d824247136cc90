import { describe, expect, it } from "vitest";
import { ObservabilityError } from "../../src/observability/errors.ts";
import { createMetrics } from "../../src/observability/metrics.ts";
import type { RaftReport } from "../../src/observability/raft-gauges.ts";
import { recordRaftReport } from "../../src/observability/raft-gauges.ts";
import { promtool, promtoolMissing } from "./promtool.ts";

const options = { namespace: "evnode", chainId: "chain", nodeId: "node-1", version: "1.2.3" };
const labels = 'chain_id="chain",node_id="node-1"';

const peer = {
  id: "node-2",
  health: "healthy",
  roundTripSamplesMs: [4, 6],
  matchIndex: 88,
  heartbeatAgeMs: 20,
  sentBytes: 1000,
  receivedBytes: 500,
  rpcFailures: 1,
} as const;

const report: RaftReport = {
  role: "leader",
  term: 3,
  leaderId: "node-1",
  voterCount: 3,
  commitIndex: 90,
  appliedIndex: 80,
  firstLogIndex: 10,
  lastLogIndex: 100,
  snapshotLastIndex: 9,
  leaseAgeMs: 12,
  lastContactMs: null,
  fsyncSamplesMs: [1, 2],
  commitSamplesMs: [3],
  peers: [peer],
};

describe("metrics", () => {
  it("all carry the chain and the node", async () => {
    const samples = (await createMetrics(options).render())
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    for (const sample of samples) expect(sample).toMatch(/chain_id="chain",.*node_id="node-1"/);
  });

  it("begin with the namespace, but for those of the process and the runtime", async () => {
    const names = createMetrics({ ...options, namespace: "rollup" }).registry.getMetricsAsArray();
    for (const { name } of names) expect(name).toMatch(/^(rollup|process|nodejs)_/);
  });

  it("may have no namespace, and refuse one that Prometheus would", () => {
    const names = createMetrics({ ...options, namespace: "" }).registry.getMetricsAsArray();
    expect(names.map(({ name }) => name)).toContain("sequencer_height");
    expect(() => createMetrics({ ...options, namespace: "ev-node" })).toThrow(ObservabilityError);
  });

  it("have ev-node's names where it has them", () => {
    const names = createMetrics(options)
      .registry.getMetricsAsArray()
      .map(({ name }) => name);
    for (const name of [
      "height",
      "latest_block_height",
      "num_txs",
      "block_size_bytes",
      "total_txs",
      "txs_per_block",
      "operation_duration_seconds",
      "blocks_synchronized_total",
    ]) {
      expect(names).toContain(`evnode_sequencer_${name}`);
    }
  });

  it("say nothing of a lease or a contact before there is one", async () => {
    const text = await createMetrics(options).render();
    expect(text).toContain(`evnode_raft_leader_lease_age_seconds{${labels}} Nan`);
    expect(text).toContain(`evnode_raft_leader_last_contact_seconds{${labels}} Nan`);
  });
});

describe("a report of the consensus thread", () => {
  it("sets the gauges", async () => {
    const metrics = createMetrics(options);
    recordRaftReport(report, metrics);
    const text = await metrics.render();
    for (const sample of [
      `evnode_raft_role{role="leader",${labels}} 1`,
      `evnode_raft_role{role="follower",${labels}} 0`,
      `evnode_raft_leader_info{leader_id="node-1",${labels}} 1`,
      `evnode_raft_has_leader{${labels}} 1`,
      `evnode_raft_peers{${labels}} 3`,
      `evnode_raft_applied_index_lag{${labels}} 10`,
      `evnode_raft_leader_lease_age_seconds{${labels}} 0.012`,
      `evnode_raft_leader_last_contact_seconds{${labels}} Nan`,
      `evnode_raft_log_fsync_duration_seconds_count{${labels}} 2`,
      `evnode_raft_peer_match_lag{peer_id="node-2",${labels}} 12`,
      `evnode_raft_peer_health{peer_id="node-2",health="healthy",${labels}} 1`,
      `evnode_raft_peer_health{peer_id="node-2",health="unreachable",${labels}} 0`,
      `evnode_raft_peer_send_bytes_total{peer_id="node-2",${labels}} 1000`,
    ]) {
      expect(text).toContain(`\n${sample}\n`);
    }
  });

  it("takes totals as totals, and forgets a removed peer and a lost leadership", async () => {
    const metrics = createMetrics(options);
    recordRaftReport({ ...report, peers: [peer, { ...peer, id: "node-3" }] }, metrics);
    const later = { ...peer, sentBytes: 1500, matchIndex: null };
    recordRaftReport({ ...report, role: "follower", leaderId: null, peers: [later] }, metrics);
    const text = await metrics.render();
    expect(text).toContain(`evnode_raft_peer_send_bytes_total{peer_id="node-2",${labels}} 1500\n`);
    expect(text).toContain(`evnode_raft_has_leader{${labels}} 0\n`);
    expect(text).not.toMatch(/raft_leader_info\{/);
    expect(text).not.toMatch(/raft_peer_match_lag\{/);
    expect(text).not.toMatch(/raft_peer_(health|send_bytes_total)\{peer_id="node-3"/);
  });
});

it.skipIf(promtoolMissing)("promtool finds no fault with the names and help texts", async () => {
  const metrics = createMetrics(options);
  recordRaftReport(report, metrics);
  expect(promtool(["check", "metrics"], await metrics.render())).toBe("");
});
