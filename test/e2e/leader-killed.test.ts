/** P1, P7, P10: `kill -9` of the leader, again and again, under load. */

import { expect, it } from "vitest";
import { auditChain } from "./harness/chain.ts";
import {
  endCleanly,
  kill,
  producingLeader,
  startCluster,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { describeDistribution, median, report } from "./harness/distribution.ts";
import { arrivals, type Disturbance, longestPauses } from "./harness/gaps.ts";
import { Load } from "./harness/load.ts";

const kills = 20;

/** Short against a failover, so that the pause between two blocks is the failover and hardly more. */
const blockTimeMs = 25;

it("loses nothing, executes nothing twice, and soon has a new leader", {
  timeout: 600_000,
}, async () => {
  const cluster = await startCluster({ settings: { "node.block_time": `${blockTimeMs}ms` } });
  const load = new Load(cluster.nodes);
  load.start();
  const disturbances: Disturbance[] = [];
  for (let nth = 1; nth <= kills; nth++) {
    const leader = await producingLeader(cluster);
    const fromMs = Date.now();
    await kill(leader);
    const successor = await producingLeader(cluster, [leader]);
    await untilGrown(successor, 3);
    disturbances.push({ fromMs, toMs: Date.now() });
    await leader.start();
    await untilAllFollow(cluster);
  }
  const acknowledged = await load.stop();
  const gapsMs = longestPauses(arrivals(cluster.nodes), disturbances);
  report(`kill -9 of the leader: gap ${describeDistribution(gapsMs)} (${blockTimeMs} ms blocks)`);
  report(`kill -9 of the leader: ${load.describe()}`);
  await auditChain(cluster, acknowledged);
  // One heartbeat timeout: without crash detection the followers would only begin to wonder by then.
  expect(median(gapsMs)).toBeLessThan(92);
  await endCleanly(cluster);
});
