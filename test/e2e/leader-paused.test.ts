/** P1, P2: a leader that was stopped for seconds wakes up among others that went on without it. */

import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { auditChain } from "./harness/chain.ts";
import {
  endCleanly,
  logLines,
  producingLeader,
  startCluster,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { expectLoad, Load } from "./harness/load.ts";
import { until } from "./harness/until.ts";

/** Longer than a main thread may hang, too: one that was stopped is not taken for that, which would be an error in its log. */
const pausesMs = [3_000, 16_000];

it.each(pausesMs)(
  "steps down, catches up, and has built nothing of its own after %i ms",
  {
    timeout: 180_000,
  },
  async (pauseMs) => {
    const cluster = await startCluster({ settings: { "node.block_time": "50ms" } });
    const load = new Load(cluster.nodes);
    load.start();
    const leader = await producingLeader(cluster);
    await untilGrown(leader, 5);
    leader.signal("SIGSTOP");
    const [successor] = await Promise.all([producingLeader(cluster, [leader]), delay(pauseMs)]);
    await untilGrown(successor, 5);
    leader.signal("SIGCONT");

    await until(`${leader.id} follows`, async () => {
      const raft = (await leader.status())?.raft;
      return raft?.role === "follower" && raft.leaderId !== null && raft.leaderId !== leader.id;
    });
    await untilAllFollow(cluster);
    const acknowledged = await load.stop();
    await auditChain(cluster, acknowledged);
    // While it is paused as many wait as may.
    expectLoad(load, 0.25);
    const follows = /INF raft: entering follower state leader=node-\d$/;
    expect(logLines(leader).some((line) => follows.test(line))).toBe(true);
    await endCleanly(cluster);
  },
);
