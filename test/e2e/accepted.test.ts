/** P7: what a node accepted is committed in the end, once, whatever happens to that node. */

import { expect, it } from "vitest";
import { auditChain, placesOf } from "./harness/chain.ts";
import {
  endCleanly,
  kill,
  producingLeader,
  startCluster,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { sendTx } from "./harness/transactions.ts";
import { until } from "./harness/until.ts";

it("commits after a crash what was accepted before it", { timeout: 180_000 }, async () => {
  const cluster = await startCluster({ settings: { "node.block_time": "50ms" } });
  const [accepting, ...others] = cluster.nodes;
  if (accepting === undefined) throw new Error("a cluster has nodes");
  // Without a leader nothing can be committed before the crash.
  await Promise.all(others.map(kill));
  await until("no leader", async () => (await accepting.status())?.raft?.leaderId === null);
  const txs = Array.from({ length: 20 }, (_, nth) => `accepted-${nth}=x`);
  for (const tx of txs) {
    const answer = await sendTx(accepting, tx, { wait: "accept", key: tx });
    expect(answer).toEqual({ kind: "accepted" });
  }
  await kill(accepting);
  await cluster.start();
  await untilAllFollow(cluster);
  // Answered by another node than the one that accepted it, and not executed again by asking.
  const [asked] = others;
  if (asked === undefined) throw new Error("a cluster of three has others");
  for (const tx of txs) expect((await sendTx(asked, tx, { key: tx })).kind).toBe("committed");
  await untilGrown(asked, 10);
  const places = placesOf(await auditChain(cluster));
  expect(txs.map((tx) => places.get(tx)?.length)).toEqual(txs.map(() => 1));
  await endCleanly(cluster);
});

it("answers a repeated Idempotency-Key alike, on every node and across a failover", {
  timeout: 180_000,
}, async () => {
  const cluster = await startCluster({ settings: { "node.block_time": "50ms" } });
  const leader = await producingLeader(cluster);
  const first = await sendTx(leader, "once=1", { key: "once" });
  expect(first.kind).toBe("committed");
  const repeatOnAll = async () => {
    for (const node of cluster.running) {
      expect(await sendTx(node, "once=1", { key: "once" })).toEqual(first);
    }
  };
  await repeatOnAll();
  await kill(leader);
  await producingLeader(cluster, [leader]);
  await repeatOnAll();
  await leader.start();
  await untilAllFollow(cluster);
  await repeatOnAll();
  const places = placesOf(await auditChain(cluster));
  expect(places.get("once=1")).toHaveLength(1);
  // Without a key the same bytes are another transaction.
  const [one, two] = [await sendTx(leader, "twice=1"), await sendTx(leader, "twice=1")];
  expect([one.kind, two.kind]).toEqual(["committed", "committed"]);
  expect(two).not.toEqual(one);
  await endCleanly(cluster);
});
