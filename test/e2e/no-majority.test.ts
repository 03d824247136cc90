/** Two of three are down: a client is told so in time, nothing is built, and one that returns is enough. */

import { setTimeout as delay } from "node:timers/promises";
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

const waitMs = 2_000;

it.each(["the leader", "a follower"])(
  "answers 503 on %s that is left alone",
  { timeout: 120_000 },
  async (who) => {
    const cluster = await startCluster({
      settings: { "node.block_time": "100ms", "cluster.wait_for_leader_timeout": `${waitMs}ms` },
    });
    const leader = await producingLeader(cluster);
    await untilGrown(leader, 3);
    const left = who === "the leader" ? leader : cluster.nodes.find((node) => node !== leader);
    if (left === undefined) throw new Error("a cluster of three has a follower");
    const down = cluster.nodes.filter((node) => node !== left);
    await Promise.all(down.map(kill));
    await until("no leader is known", async () => (await left.status())?.raft?.leaderId === null);
    const height = (await left.status())?.height;

    const sentMs = performance.now();
    const answer = await sendTx(left, "k=alone", { key: "alone", timeoutMs: 20_000 });
    const tookMs = performance.now() - sentMs;
    expect(answer).toMatchObject({ kind: "refused", status: 503 });
    expect(answer).toHaveProperty("message", expect.stringMatching(/no leader for 2 s\. .*\.$/));
    expect(tookMs).toBeGreaterThan(waitMs / 2);
    // Well before a client that was told 2 s loses patience.
    expect(tookMs).toBeLessThan(3 * waitMs);
    const read = await left.get("/state/k?consistency=linearizable");
    expect(read?.status).toBe(503);
    await delay(10 * 100);
    expect((await left.status())?.height).toBe(height);

    await down[0]?.start();
    await untilAllFollow(cluster);
    await untilGrown(left, 3);
    const again = await sendTx(left, "k=alone", { key: "alone" });
    expect(again.kind).toBe("committed");
    await down[1]?.start();
    await untilAllFollow(cluster);
    const chain = await auditChain(cluster);
    expect(placesOf(chain).get("k=alone")).toHaveLength(1);
    await endCleanly(cluster);
  },
);
