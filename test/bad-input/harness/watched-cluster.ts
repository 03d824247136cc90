/** A cluster under attack, and what an attack must not change: its leader, its blocks, its memory, its log. */

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { LocalCluster } from "../../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../../src/devnet/local-node.ts";
import { until } from "../../e2e/harness/until.ts";

/** On a machine that is busy with the attackers themselves nobody must lose the lead for that alone. */
const patience = {
  "raft.heartbeat_timeout": "4s",
  "raft.election_timeout": "4s",
  "raft.leader_lease_timeout": "2s",
  "raft.send_timeout": "1s",
  "node.block_time": "100ms",
} as const;

const memoryGrowthMaxBytes = 250 * 1024 * 1024;

export class WatchedCluster {
  readonly cluster: LocalCluster;
  readonly leader: LocalNode;
  readonly followers: readonly LocalNode[];

  private constructor(cluster: LocalCluster, leader: LocalNode) {
    this.cluster = cluster;
    this.leader = leader;
    this.followers = cluster.nodes.filter((node) => node !== leader);
  }

  static async start(directory: string): Promise<WatchedCluster> {
    const cluster = await LocalCluster.create({ directory, nodeCount: 3, settings: patience });
    await cluster.start();
    try {
      const leader = await until("all follow a leader that makes blocks", () => led(cluster), {
        limitMs: 120_000,
      });
      return new WatchedCluster(cluster, leader);
    } catch (error) {
      await cluster.stop(0);
      throw error;
    }
  }

  follower(): LocalNode {
    const [follower] = this.followers;
    if (follower === undefined) throw new Error("a cluster of three has followers");
    return follower;
  }

  async term(): Promise<number> {
    return (await this.leader.status())?.raft?.term ?? 0;
  }

  /** While `attack` runs and right after it, all is as it was, and blocks keep coming. */
  async unharmedBy(attack: () => Promise<void>): Promise<void> {
    const before = await this.#look();
    await attack();
    await until("blocks on all nodes after the attack", async () => {
      const statuses = await Promise.all(this.cluster.nodes.map((node) => node.status()));
      return statuses.every((status) => (status?.height ?? 0) > before.height + 2);
    });
    const after = await this.#look();
    expect({ leaderId: after.leaderId, term: after.term }).toEqual({
      leaderId: before.leaderId,
      term: before.term,
    });
    expect(after.pids, "nobody was restarted").toEqual(before.pids);
    for (const [at, bytes] of after.residentBytes.entries()) {
      expect(bytes - (before.residentBytes[at] ?? 0)).toBeLessThan(memoryGrowthMaxBytes);
    }
  }

  async #look() {
    const status = await until("the leader answers", () => this.leader.status());
    const pids = this.cluster.nodes.map(({ pid }) => pid);
    return {
      height: status.height,
      leaderId: status.raft?.leaderId,
      term: status.raft?.term,
      pids,
      residentBytes: pids.map(residentBytesOf),
    };
  }
}

async function led(cluster: LocalCluster): Promise<LocalNode | null> {
  const statuses = await Promise.all(cluster.nodes.map((node) => node.status()));
  const [first] = statuses;
  const leaderId = first?.raft?.leaderId ?? null;
  const areLed = statuses.every((status) => status?.raft?.leaderId === leaderId);
  const areGoing = statuses.every((status) => (status?.height ?? 0) > 2);
  return leaderId !== null && areLed && areGoing ? cluster.node(leaderId) : null;
}

function residentBytesOf(pid: number | null): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) * 1024;
}

/** The value of a series by its name and one label. */
export async function metric(node: LocalNode, name: string, label: string): Promise<number> {
  const response = await fetch(node.metricsUrl, { signal: AbortSignal.timeout(10_000) });
  const lines = (await response.text()).split("\n");
  const line = lines.find((text) => text.startsWith(`${name}{`) && text.includes(label));
  return Number(line?.split(" ").at(-1) ?? Number.NaN);
}

/** Lines of the node's log at WRN or ERR. */
export function warnings(node: LocalNode): readonly string[] {
  const lines = readFileSync(node.logFile, "utf8").split("\n");
  return lines.filter((line) => / (WRN|ERR) /.test(line));
}
