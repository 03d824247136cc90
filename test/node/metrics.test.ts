/** What a real cluster serves under /metrics: in Prometheus' form, and plausible on leader and followers. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { until } from "../e2e/harness/until.ts";
import { promtool, promtoolMissing } from "../observability/promtool.ts";

const directory = mkdtempSync(join(tmpdir(), "evm-metrics-"));
let cluster: LocalCluster;
let leader: Scrape;
let follower: Scrape;

beforeAll(async () => {
  cluster = await LocalCluster.create({
    directory,
    nodeCount: 3,
    settings: {
      "node.block_time": "100ms",
      "raft.heartbeat_timeout": "1s",
      "raft.election_timeout": "1s",
      "raft.leader_lease_timeout": "500ms",
    },
  });
  await cluster.start();
  await until("a leader makes blocks", makingBlocks, { limitMs: 60_000 });
  // One is taken on each node, and one is none at all.
  for (const node of cluster.nodes) {
    expect((await post(node, "a=1")).status).toBe(200);
    expect((await post(node, "nonsense")).status).toBe(400);
  }
  [leader, follower] = await until("leader and followers are well", calmScrapes);
}, 240_000);

afterAll(async () => {
  await cluster?.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function makingBlocks(): Promise<LocalNode | null> {
  const statuses = await Promise.all(cluster.nodes.map((node) => node.status()));
  const areGoing = statuses.every((status) => (status?.height ?? 0) > 3);
  return areGoing ? await cluster.leader() : null;
}

/** What a leader and a follower say in a moment in which nothing on this machine stands still; else null. */
async function calmScrapes(): Promise<readonly [Scrape, Scrape] | null> {
  const scrapes = await Promise.all(cluster.nodes.map((node) => Scrape.of(node)));
  const leading = scrapes.find((scrape) => scrape.value("raft_role", { role: "leader" }) === 1);
  const following = scrapes.find((scrape) => scrape.value("raft_role", { role: "follower" }) === 1);
  if (leading === undefined || following === undefined) return null;
  const areCalm = [leading, following].every(
    (scrape) =>
      scrape.value("p2p_peers") === 2 &&
      scrape.value("raft_has_leader") === 1 &&
      scrape.value("sequencer_ready") === 1 &&
      scrape.value("raft_applied_index_lag") < 8,
  );
  return areCalm && arePeersWell(leading) ? [leading, following] : null;
}

function arePeersWell(scrape: Scrape): boolean {
  const others = cluster.nodes.filter(({ id }) => id !== scrape.node.id);
  return others.every(
    ({ id }) =>
      scrape.value("raft_peer_health", { peer_id: id, health: "healthy" }) === 1 &&
      scrape.value("raft_peer_match_lag", { peer_id: id }) < 8,
  );
}

function post(node: LocalNode, tx: string, wait = "commit"): Promise<Response> {
  return fetch(`${node.rpcUrl}/tx?wait=${wait}`, { method: "POST", body: tx });
}

class Scrape {
  readonly node: LocalNode;
  readonly text: string;

  private constructor(node: LocalNode, text: string) {
    this.node = node;
    this.text = text;
  }

  static async of(node: LocalNode): Promise<Scrape> {
    return new Scrape(node, await (await fetch(node.metricsUrl)).text());
  }

  /** The one series of this name with these labels, of whatever other labels. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
    const lines = this.text
      .split("\n")
      .filter((line) => line.startsWith(`evnode_${name}{`))
      .filter((line) => wanted.every((label) => line.includes(label)));
    expect(lines, `${name} ${wanted}`).toHaveLength(1);
    const value = lines[0]?.split(" ").at(-1);
    return value === "Nan" ? Number.NaN : Number(value);
  }
}

describe("the metrics of a running cluster", () => {
  it.skipIf(promtoolMissing)("satisfy promtool", () => {
    expect(promtool(["check", "metrics"], leader.text)).toBe("");
    expect(promtool(["check", "metrics"], follower.text)).toBe("");
  });

  it("say who leads", () => {
    expect(leader.value("raft_role", { role: "leader" })).toBe(1);
    expect(follower.value("raft_role", { role: "follower" })).toBe(1);
    for (const scrape of [leader, follower]) {
      expect(scrape.value("raft_term")).toBeGreaterThan(1);
      expect(scrape.value("raft_has_leader")).toBe(1);
      expect(scrape.value("raft_leader_info", { leader_id: leader.node.id })).toBe(1);
      expect(scrape.value("raft_peers")).toBe(3);
      expect(scrape.value("sequencer_ready")).toBe(1);
      expect(scrape.value("execution_healthy")).toBe(1);
      expect(scrape.value("p2p_peers")).toBe(2);
    }
    expect(leader.value("sequencer_state", { state: "producing" })).toBe(1);
    expect(follower.value("sequencer_state", { state: "following" })).toBe(1);
  });

  it("say how far the log and the chain are", () => {
    for (const scrape of [leader, follower]) {
      const commitIndex = scrape.value("raft_commit_index");
      expect(commitIndex).toBeGreaterThan(3);
      expect(scrape.value("raft_applied_index")).toBeGreaterThan(3);
      expect(scrape.value("raft_applied_index_lag")).toBeLessThan(8);
      expect(scrape.value("raft_last_log_index")).toBeGreaterThanOrEqual(commitIndex);
      expect(scrape.value("raft_first_log_index")).toBe(1);
      expect(scrape.value("sequencer_height")).toBeGreaterThan(3);
      expect(scrape.value("sequencer_total_txs")).toBeGreaterThanOrEqual(1);
      expect(scrape.value("sequencer_block_interval_seconds_count")).toBeGreaterThan(0);
      const ageSeconds = Date.now() / 1000 - scrape.value("sequencer_last_block_timestamp_seconds");
      expect(Math.abs(ageSeconds)).toBeLessThan(60);
    }
    expect(leader.value("sequencer_blocks_produced_total")).toBeGreaterThan(3);
    expect(
      follower.value("sequencer_blocks_synchronized_total", { source: "raft" }),
    ).toBeGreaterThan(3);
  });

  it("say how fast disk, commit and peers are", () => {
    for (const scrape of [leader, follower]) {
      expect(scrape.value("raft_log_fsync_duration_seconds_count")).toBeGreaterThan(0);
      for (const thread of ["main", "consensus"]) {
        for (const stat of ["p50", "p99", "max"]) {
          const seconds = scrape.value("event_loop_delay_seconds", { thread, stat });
          expect(seconds).toBeGreaterThanOrEqual(0);
          expect(seconds).toBeLessThan(30);
        }
      }
    }
    expect(leader.value("raft_commit_time_seconds_count")).toBeGreaterThan(0);
    expect(leader.value("raft_leader_lease_age_seconds")).toBeLessThan(1);
    expect(follower.value("raft_leader_lease_age_seconds")).toBeNaN();
    expect(leader.value("raft_leader_last_contact_seconds")).toBeNaN();
    expect(follower.value("raft_leader_last_contact_seconds")).toBeLessThan(2);
  });

  it("say how the leader's peers are", () => {
    for (const { id } of cluster.nodes.filter((node) => node !== leader.node)) {
      const peer = { peer_id: id };
      expect(leader.value("raft_peer_health", { ...peer, health: "healthy" })).toBe(1);
      expect(leader.value("raft_peer_match_lag", peer)).toBeLessThan(8);
      expect(leader.value("raft_peer_heartbeat_age_seconds", peer)).toBeLessThan(2);
      expect(leader.value("raft_peer_round_trip_time_seconds_count", peer)).toBeGreaterThan(0);
      expect(leader.value("raft_peer_send_bytes_total", peer)).toBeGreaterThan(0);
      expect(leader.value("raft_peer_receive_bytes_total", peer)).toBeGreaterThan(0);
      expect(leader.value("raft_peer_connected", peer)).toBe(1);
    }
  });

  it("count requests and transactions where they came in", () => {
    for (const scrape of [leader, follower]) {
      expect(scrape.value("rpc_requests_total", { route: "/tx", status: "2xx" })).toBe(1);
      expect(scrape.value("rpc_requests_total", { route: "/tx", status: "4xx" })).toBe(1);
      expect(scrape.value("rpc_request_duration_seconds_count", { route: "/tx" })).toBe(2);
      expect(scrape.value("sequencer_txs_refused_total", { reason: "invalid_transaction" })).toBe(
        1,
      );
      expect(scrape.value("sequencer_txs_refused_total", { reason: "queue_full" })).toBe(0);
      expect(scrape.value("sequencer_tx_commit_duration_seconds_count")).toBe(1);
      expect(scrape.value("sequencer_queue_txs")).toBe(0);
      expect(scrape.value("sequencer_queue_bytes")).toBe(0);
    }
  });

  it("say how much disk is left, and that no log line was lost", () => {
    for (const scrape of [leader, follower]) {
      for (const label of ["data", "raft"]) {
        const free = scrape.value("disk_free_bytes", { directory: label });
        expect(free).toBeGreaterThan(0);
        expect(scrape.value("disk_size_bytes", { directory: label })).toBeGreaterThan(free);
      }
      expect(scrape.value("log_lines_dropped_total")).toBe(0);
    }
  });

  it("count what waits for a leader", { timeout: 60_000 }, async () => {
    const { node } = follower;
    await Promise.all(
      cluster.nodes.filter((other) => other !== node).map((other) => other.stop(0)),
    );
    await until("no leader is known", async () => (await node.status())?.raft?.leaderId === null);
    expect((await post(node, "b=2", "accept")).status).toBe(202);
    const scrape = await Scrape.of(node);
    expect(scrape.value("sequencer_queue_txs")).toBe(1);
    expect(scrape.value("sequencer_queue_bytes")).toBeGreaterThanOrEqual("b=2".length);
  });
});
