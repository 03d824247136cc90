/** P1, P7, P10: `kill -9` of the leader, again and again, under load. */

import { expect, it } from "vitest";
import { auditChain } from "./harness/chain.ts";
import { endCleanly, kill, startCluster } from "./harness/cluster.ts";
import { report } from "./harness/distribution.ts";
import { countFrom } from "./harness/effort.ts";
import { describeFailovers, failOver, scaledGapMs } from "./harness/failovers.ts";
import { expectLoad, Load } from "./harness/load.ts";

/** Short against a failover, so that the pause between two blocks is the failover and hardly more. */
const blockTimeMs = 25;

it("loses nothing, executes nothing twice, and soon has a new leader", {
  timeout: 3_600_000,
}, async () => {
  const cluster = await startCluster({ settings: { "node.block_time": `${blockTimeMs}ms` } });
  const load = new Load(cluster.nodes);
  load.start();
  const failovers = await failOver(cluster, countFrom("EVM_E2E_FAILOVERS", 20), kill);
  const acknowledged = await load.stop();
  report(`kill -9 of the leader: ${describeFailovers(failovers, blockTimeMs)}`);
  report(`kill -9 of the leader: ${load.describe()}`);
  await auditChain(cluster, acknowledged);
  expectLoad(load);
  await endCleanly(cluster);
  // One heartbeat timeout: without crash detection the followers would only begin to wonder by then.
  expect(scaledGapMs(failovers, blockTimeMs)).toBeLessThan(92);
});
