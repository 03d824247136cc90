/** What a node begins with, and goes on from: all but one lost raft_dir. */

import { expect, it } from "vitest";
import type { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { auditChain, expectSameBlocks, readBlock } from "./harness/chain.ts";
import {
  createCluster,
  endCleanly,
  heightOf,
  kill,
  logLines,
  producingLeader,
  startCluster,
  terminate,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { backUpData, loseData, loseRaftDir, restoreData } from "./harness/disks.ts";
import { printedDice } from "./harness/effort.ts";
import { type Acknowledged, Load } from "./harness/load.ts";
import { sendTx } from "./harness/transactions.ts";
import { until } from "./harness/until.ts";
import { Watch } from "./harness/watch.ts";

const settings = { "node.block_time": "50ms" };
/** The log is soon shorter than the chain: what is older comes from peers. */
const shortLog = { "raft.snapshot_threshold": "30", "raft.trailing_logs": "10" };

it("a single sequencer's chain goes on as a cluster's, with every block and transaction of it", {
  timeout: 240_000,
}, async () => {
  const cluster = await createCluster({ settings });
  const [single, ...others] = cluster.nodes;
  if (single === undefined) throw new Error("a cluster has nodes");
  await single.start({ EVNODE_RAFT_ENABLE: "false" });
  const before = new Load([single], { txPerSecond: 50, name: "single" });
  before.start();
  await untilGrown(single, 40);
  const acknowledged = await before.stop();
  const last = await end(single, [single]);

  // It is there first: two that are empty would be a majority for a new chain.
  await single.start();
  await until("it asks them", () => /raft_dir is empty/.test(logLines(single).join("\n")));
  await Promise.all(others.map((node) => node.start()));
  const leader = await producingLeader(cluster);
  expect(leader.id, "who has the blocks leads first").toBe(single.id);
  const after = new Load(cluster.nodes, { txPerSecond: 50, name: "cluster" });
  after.start();
  await untilGrown(leader, 20);
  await untilAllReady(cluster);
  // The window of known identities has come along: no node executes these again (P7).
  for (const { tx, key, height, index } of someOf(acknowledged)) {
    for (const node of cluster.nodes) {
      expect(await sendTx(node, tx, { key })).toEqual({ kind: "committed", height, index });
    }
  }
  // Those that fetched them lead as well as he who built them.
  await kill(leader);
  await producingLeader(cluster, [leader]);
  await leader.start();
  await untilAllFollow(cluster);
  await expectGoesOn(cluster, [...acknowledged, ...(await after.stop())], last);
  await endCleanly(cluster);
});

it("all raft_dirs are gone: a new log begins above the highest block, and nobody leads who lacks it", {
  timeout: 240_000,
}, async () => {
  const cluster = await startCluster({ settings });
  const load = new Load(cluster.nodes, { txPerSecond: 50 });
  load.start();
  const behind = printedDice().pick(cluster.nodes);
  await untilGrown(behind, 10);
  await terminate([behind]);
  const ahead = await producingLeader(cluster);
  await untilGrown(ahead, 40);
  const acknowledged = await load.stop();
  const last = await end(ahead, cluster.running);
  await Promise.all(cluster.nodes.map(loseRaftDir));

  await cluster.start();
  const leader = await producingLeader(cluster);
  expect(leader.id).not.toBe(behind.id);
  await untilGrown(leader, 20);
  await untilAllReady(cluster);
  // A majority begins it; one that is slow to start may find it begun.
  const begun = cluster.nodes.filter((node) =>
    /beginning a new log/.test(logLines(node).join("\n")),
  );
  expect(begun.length).toBeGreaterThanOrEqual(2);
  await expectGoesOn(cluster, acknowledged, last);
  await endCleanly(cluster);
});

it("a node that lost raft_dir and data at once gets both back from the others, under load", {
  timeout: 240_000,
}, async () => {
  const cluster = await startCluster({ settings: { ...settings, ...shortLog } });
  const load = new Load(cluster.nodes, { txPerSecond: 50 });
  load.start();
  const victim = printedDice().pick(cluster.nodes);
  await untilGrown(victim, 60);
  await kill(victim);
  await Promise.all([loseRaftDir(victim), loseData(victim)]);
  const leader = await producingLeader(cluster, [victim]);
  await untilGrown(leader, 20);
  await expectReturn(victim, leader);
  const said = logLines(victim).join("\n");
  expect(said).toMatch(/raft: recovered/);
  expect(said).toMatch(/p2p: missing blocks fetched/);
  await auditChain(cluster, await load.stop());
  await endCleanly(cluster);
});

it.each([
  ["from its log", { "raft.trailing_logs": "18000" }, false],
  ["from its peers, where its log is shorter", shortLog, true],
])(
  "data from an older copy are brought up to date %s",
  {
    timeout: 240_000,
  },
  async (_from, log, isFetched) => {
    const cluster = await startCluster({ settings: { ...settings, ...log } });
    const load = new Load(cluster.nodes, { txPerSecond: 50 });
    load.start();
    const victim = printedDice().pick(cluster.nodes);
    await untilGrown(victim, 10);
    await terminate([victim]);
    await backUpData(victim);
    await victim.start();
    await untilAllFollow(cluster);
    await untilGrown(victim, 120);
    await kill(victim);
    await restoreData(victim);
    await expectReturn(victim, await producingLeader(cluster, [victim]));
    expect(/p2p: missing blocks fetched/.test(logLines(victim).join("\n"))).toBe(isFetched);
    await auditChain(cluster, await load.stop());
    await endCleanly(cluster);
  },
);

/** Ends `nodes` gently; answers the last block that `node` surely had. */
async function end(node: LocalNode, nodes: readonly LocalNode[]) {
  const last = await readBlock(node, await heightOf(node));
  await terminate(nodes);
  return last;
}

/** The new log's chain is the old one's, with `last` in its place, and goes on above that. */
async function expectGoesOn(
  cluster: LocalCluster,
  acknowledged: readonly Acknowledged[],
  last: Awaited<ReturnType<typeof readBlock>>,
): Promise<void> {
  const logsBegunAfter = cluster.nodes.flatMap(logLines).flatMap((line) => {
    const height = /beginning a new log.*baseHeight=(\d+)/.exec(line)?.[1];
    return height === undefined ? [] : [Number(height)];
  });
  const chain = await auditChain(cluster, acknowledged, { logsBegunAfter });
  expect(chain[last.height - 1]?.hash).toBe(last.hash);
  expect(chain.length).toBeGreaterThan(last.height);
}

async function expectReturn(victim: LocalNode, leader: LocalNode): Promise<void> {
  const to = await heightOf(leader);
  await victim.start();
  const watch = new Watch(victim);
  await until(`${victim.id} is back, and ready`, () => watch.isBack(to));
  // On a busy machine it may campaign before it hears the leader, and be refused.
  expect([...watch.roles]).not.toContain("leader");
  await expectSameBlocks(leader, victim, { from: 1, to });
}

async function untilAllReady(cluster: LocalCluster): Promise<void> {
  for (const node of cluster.nodes) {
    const watch = new Watch(node);
    await until(`${node.id} is ready`, () => watch.isBack(1));
  }
}

function someOf<T>(all: readonly T[]): readonly T[] {
  return [all.at(0), all.at(all.length / 2), all.at(-1)].filter((one) => one !== undefined);
}
