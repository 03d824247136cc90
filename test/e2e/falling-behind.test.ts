/** A follower that was away for longer than the log reaches comes back by itself, and one for shorter from the log. */

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { type Block, readBlock } from "./harness/chain.ts";
import {
  endCleanly,
  kill,
  logLines,
  producingLeader,
  startCluster,
  untilGrown,
} from "./harness/cluster.ts";
import { Load } from "./harness/load.ts";
import { until } from "./harness/until.ts";

const settings = {
  "node.block_time": "5ms",
  "raft.snapshot_threshold": "100",
  "raft.trailing_logs": "50",
  // The machine is busy with more than this; who leads is not under test.
  "raft.heartbeat_timeout": "1s",
  "raft.election_timeout": "1s",
  "raft.leader_lease_timeout": "500ms",
};

/** Far more than the log keeps. */
const blocksAway = 400;
const killsDuringBackfill = 3;

it("returns by snapshot and backfill, with the same blocks, never leading, in flat memory", {
  timeout: 300_000,
}, async () => {
  const cluster = await startCluster({ settings });
  const load = new Load(cluster.nodes, { txPerSecond: 50 });
  load.start();
  const leader = await producingLeader(cluster);
  const follower = followerOf(cluster, leader);
  await kill(follower);
  const from = heightOf(await leader.status());
  await untilGrown(leader, blocksAway);

  const termBefore = (await leader.status())?.raft?.term;
  const startedMs = performance.now();
  await follower.start();
  const watch = new Watch(follower);
  const targetHeight = heightOf(await leader.status());
  await until("the follower is back, and ready", () => watch.look(targetHeight));
  const seconds = (performance.now() - startedMs) / 1000;
  const blocks = targetHeight - from;
  process.stdout.write(
    `returned to height ${targetHeight} after ${blocks} blocks in ${seconds.toFixed(1)} s, ` +
      `${Math.round(blocks / seconds)} blocks/s with the start; RSS ${watch.rssMiB.join(" ")} MiB\n`,
  );
  const leaderMiB = rssMiBOf(leader);
  expect(Math.max(...watch.rssMiB), "memory").toBeLessThan(1.5 * leaderMiB + 64);
  expect((await leader.status())?.raft?.term, "the leader has not changed").toBe(termBefore);
  expect(watch.roles).not.toContain("leader");
  expect(watch.unreadyReasons.join()).toContain("missing blocks are fetched from other nodes");
  expect(logLines(follower).join("\n")).toMatch(/p2p: missing blocks fetched/);
  await load.stop();
  await expectSameBlocks(leader, follower, targetHeight);
  await endCleanly(cluster);
});

it("comes back after its data were wiped, though it is killed again and again meanwhile", {
  timeout: 300_000,
}, async () => {
  const cluster = await startCluster({ settings });
  const load = new Load(cluster.nodes, { txPerSecond: 50 });
  load.start();
  const leader = await producingLeader(cluster);
  const follower = followerOf(cluster, leader);
  await untilGrown(leader, blocksAway);
  await kill(follower);
  rmSync(join(follower.place.home, "data"), { recursive: true });
  let height = 0;
  for (let nth = 1; nth <= killsDuringBackfill; nth++) {
    await follower.start();
    const killAt = height + Math.floor(Math.random() * 150);
    height = await until(`${follower.id} is above height ${killAt}`, async () => {
      const status = await follower.status();
      return status !== null && status.height > killAt ? status.height : null;
    });
    await kill(follower);
  }
  await load.stop();
  await follower.start();
  const targetHeight = heightOf(await leader.status());
  const watch = new Watch(follower);
  await until("the follower is back, and ready", () => watch.look(targetHeight));
  expect(watch.roles).not.toContain("leader");
  await expectSameBlocks(leader, follower, targetHeight);
  await endCleanly(cluster);
});

it("returns from the log alone if that reaches back far enough", { timeout: 240_000 }, async () => {
  const cluster = await startCluster({ settings: { ...settings, "raft.trailing_logs": "5000" } });
  const leader = await producingLeader(cluster);
  const follower = followerOf(cluster, leader);
  await kill(follower);
  await untilGrown(leader, 200);
  await follower.start();
  const targetHeight = heightOf(await leader.status());
  await until("the follower is back", async () => heightOf(await follower.status()) > targetHeight);
  const metrics = await (await fetch(leader.metricsUrl)).text();
  expect(metrics).not.toMatch(/raft_replication_install_snapshot_total\{[^}]*\} [1-9]/);
  expect(logLines(follower).join("\n")).not.toMatch(/missing blocks/);
  await endCleanly(cluster);
});

function followerOf(cluster: LocalCluster, leader: LocalNode): LocalNode {
  const follower = cluster.nodes.find((node) => node !== leader);
  if (follower === undefined) throw new Error("a cluster of three has followers");
  return follower;
}

function heightOf(status: { readonly height: number } | null): number {
  return status?.height ?? 0;
}

/** What a node says and takes while it comes back. */
class Watch {
  readonly roles: string[] = [];
  readonly unreadyReasons: string[] = [];
  readonly rssMiB: number[] = [];
  readonly #node: LocalNode;

  constructor(node: LocalNode) {
    this.#node = node;
  }

  async look(height: number): Promise<boolean> {
    const status = await this.#node.status();
    const reason = await unreadyReason(this.#node);
    if (status === null || reason === undefined) return false;
    if (status.raft !== null) this.roles.push(status.raft.role);
    if (reason !== null && reason !== this.unreadyReasons.at(-1)) this.unreadyReasons.push(reason);
    const mebibytes = rssMiBOf(this.#node);
    if (Math.abs(mebibytes - (this.rssMiB.at(-1) ?? 0)) > 8) this.rssMiB.push(mebibytes);
    return reason === null && status.height >= height;
  }
}

function rssMiBOf({ pid }: LocalNode): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  return Math.round((pages * 4096) / 2 ** 20);
}

/** null if it is ready; undefined if it does not answer. */
async function unreadyReason(node: LocalNode): Promise<string | null | undefined> {
  try {
    const response = await fetch(`${node.rpcUrl}/health/ready`);
    const text = await response.text();
    return response.ok ? null : text;
  } catch {
    // A process that is starting does not answer.
    return undefined;
  }
}

const readsAtOnce = 8;

/** Byte for byte at every height, but for the log entry of a block, which a backfill does not learn. */
async function expectSameBlocks(one: LocalNode, other: LocalNode, height: number): Promise<void> {
  for (let from = 1; from <= height; from += readsAtOnce) {
    const heights = Array.from({ length: Math.min(readsAtOnce, height + 1 - from) });
    await Promise.all(
      heights.map(async (_, nth) => {
        const at = from + nth;
        const [ours, theirs] = await Promise.all([readBlock(one, at), readBlock(other, at)]);
        expect(withoutEntry(theirs)).toEqual(withoutEntry(ours));
      }),
    );
  }
}

function withoutEntry({ raft_index: _index, raft_term: _term, ...block }: Block): object {
  return block;
}
