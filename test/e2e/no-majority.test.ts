/** Two of three are down: a client is told so in time, nothing is built, and one that returns is enough. */

import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { auditChain, placesOf } from "./harness/chain.ts";
import {
  answerOf,
  endCleanly,
  heightOf,
  kill,
  producingLeader,
  startCluster,
  statusOf,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { sendTx } from "./harness/transactions.ts";
import { until } from "./harness/until.ts";

const waitMs = 2_000;

/** By then a client that was told 2 s must have its answer. */
const patienceMs = 1.5 * waitMs;

/** A machine that stands still just then makes one answer late, and not each of them. */
const asks = 3;

it.each(["the leader", "a follower"])(
  "answers 503 on %s that is left alone",
  { timeout: 300_000 },
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

    const tookMs: number[] = [];
    for (let nth = 1; nth <= asks && Math.min(...tookMs) >= patienceMs; nth++) {
      const sentMs = performance.now();
      const answer = await sendTx(left, "k=alone", { key: "alone", timeoutMs: 20_000 });
      tookMs.push(performance.now() - sentMs);
      expect(answer).toMatchObject({ kind: "refused", status: 503 });
      expect(answer).toHaveProperty("message", expect.stringMatching(/no leader for 2 s\. .*\.$/));
    }
    expect(Math.min(...tookMs)).toBeGreaterThan(waitMs / 2);
    expect(Math.min(...tookMs)).toBeLessThan(patienceMs);
    const read = await answerOf(left, "/state/k?consistency=linearizable");
    expect(read.status).toBe(503);
    // What was committed before is perhaps executed only now; nothing comes after it.
    const height = await until("all that is committed is executed", async () => {
      const status = await statusOf(left);
      const isExecuted = status.raft?.appliedIndex === status.raft?.commitIndex;
      return isExecuted ? status.height : null;
    });
    await delay(10 * 100);
    expect(await heightOf(left)).toBe(height);

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
