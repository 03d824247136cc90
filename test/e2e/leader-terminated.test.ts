/** P9: SIGTERM to the leader hands over; at 100 ms blocks hardly one is late. */

import { expect, it } from "vitest";
import { auditChain } from "./harness/chain.ts";
import { endCleanly, startCluster } from "./harness/cluster.ts";
import { report } from "./harness/distribution.ts";
import { countFrom } from "./harness/effort.ts";
import { describeFailovers, failOver, scaledGapMs } from "./harness/failovers.ts";
import { expectLoad, Load } from "./harness/load.ts";

const blockTimeMs = 100;

it("hands over within a block or two, and ends with 0", { timeout: 3_600_000 }, async () => {
  const cluster = await startCluster({ settings: { "node.block_time": `${blockTimeMs}ms` } });
  const load = new Load(cluster.nodes);
  load.start();
  const failovers = await failOver(cluster, countFrom("EVM_E2E_FAILOVERS", 20), async (leader) => {
    leader.signal("SIGTERM");
    expect(await leader.exited).toEqual({ code: 0, signal: null });
  });
  const acknowledged = await load.stop();
  report(`SIGTERM to the leader: ${describeFailovers(failovers, blockTimeMs)}`);
  report(`SIGTERM to the leader: ${load.describe()}`);
  await auditChain(cluster, acknowledged);
  expectLoad(load);
  await endCleanly(cluster);
  expect(scaledGapMs(failovers, blockTimeMs)).toBeLessThan(150);
});
