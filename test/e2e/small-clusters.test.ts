/** A single sequencer, and clusters of one and two: they work, and cannot lose anybody. */

import { expect, it } from "vitest";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { auditChain, placesOf } from "./harness/chain.ts";
import {
  createCluster,
  endCleanly,
  kill,
  producingLeader,
  startCluster,
  statusOf,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { sendTx } from "./harness/transactions.ts";
import { until } from "./harness/until.ts";

const settings = { "node.block_time": "100ms" };

function onlyNode(nodes: readonly LocalNode[]): LocalNode {
  const [node] = nodes;
  if (node === undefined) throw new Error("a cluster has nodes");
  return node;
}

it("is a single sequencer without raft.enable", { timeout: 120_000 }, async () => {
  const single = { ...settings, "raft.enable": "false" };
  const cluster = await createCluster({ nodeCount: 1, settings: single });
  const node = onlyNode(cluster.nodes);
  await node.start();
  await until("blocks", async () => ((await node.status())?.height ?? 0) >= 3);
  expect((await statusOf(node)).raft).toBeNull();
  const first = await sendTx(node, "a=1", { key: "a" });
  expect(first.kind).toBe("committed");
  await kill(node);
  await node.start();
  await statusOf(node);
  expect(await sendTx(node, "a=1", { key: "a" })).toEqual(first);
  await untilGrown(node, 3);
  await auditChain(cluster);
  await endCleanly(cluster);
});

it("is a cluster of one", { timeout: 120_000 }, async () => {
  const cluster = await startCluster({ nodeCount: 1, settings });
  const node = onlyNode(cluster.nodes);
  const first = await sendTx(node, "a=1", { key: "a" });
  expect(first.kind).toBe("committed");
  await kill(node);
  await node.start();
  await untilAllFollow(cluster);
  await untilGrown(node, 3);
  expect(await sendTx(node, "a=1", { key: "a" })).toEqual(first);
  expect((await statusOf(node)).raft?.role).toBe("leader");
  await auditChain(cluster);
  await endCleanly(cluster);
});

it("is a cluster of two, which needs both", { timeout: 120_000 }, async () => {
  const cluster = await startCluster({
    nodeCount: 2,
    settings: { ...settings, "cluster.wait_for_leader_timeout": "1s" },
  });
  const leader = await producingLeader(cluster);
  const follower = cluster.nodes.find((node) => node !== leader);
  if (follower === undefined) throw new Error("a cluster of two has a follower");
  await kill(leader);
  await until("no leader is known", async () => (await follower.status())?.raft?.leaderId === null);
  expect(await sendTx(follower, "a=1", { key: "a" })).toMatchObject({ status: 503 });
  await leader.start();
  await untilAllFollow(cluster);
  await untilGrown(follower, 3);
  expect((await sendTx(follower, "a=1", { key: "a" })).kind).toBe("committed");
  const chain = await auditChain(cluster);
  expect(placesOf(chain).get("a=1")).toHaveLength(1);
  await endCleanly(cluster);
});
