/** A member whose executor lags behind its blocks is not elected while another one is ready (P5). */

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { auditChain } from "./harness/chain.ts";
import {
  endCleanly,
  kill,
  logLines,
  producingLeader,
  startCluster,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { until } from "./harness/until.ts";

const rounds = 3;
/** At 100 ms a block it is busy with them for longer than any election takes. */
const blocksBehind = 150;

it("another leads when the leader dies, and it takes no part but its vote", {
  timeout: 300_000,
}, async () => {
  const cluster = await startCluster({ settings: { "node.block_time": "20ms" } });
  await untilGrown(await producingLeader(cluster), blocksBehind);
  for (let round = 1; round <= rounds; round++) {
    const leader = await producingLeader(cluster);
    const [lagging, ready] = cluster.nodes.filter((node) => node !== leader);
    if (lagging === undefined || ready === undefined) throw new Error("there are three");
    const logged = logLines(lagging).length;
    await kill(lagging);
    loseExecutorState(lagging);
    await lagging.start({ NODE_OPTIONS: `--import ${slowExecutor}` });
    await until(`${lagging.id} executes again, and follows`, async () => {
      const status = await lagging.status();
      const reason = await unreadyReason(lagging);
      return status?.raft?.leaderId === leader.id && /executed again: height/.test(reason);
    });
    await kill(leader);
    const next = await producingLeader(cluster, [leader]);
    expect(next.id, `round ${round}`).toBe(ready.id);
    expect(await unreadyReason(lagging)).toMatch(/executed again/);
    const since = logLines(lagging).slice(logged);
    expect(since.filter((line) => line.includes("entering leader state"))).toEqual([]);
    await kill(lagging);
    await lagging.start();
    await leader.start();
    await untilAllFollow(cluster);
  }
  await auditChain(cluster);
  await endCleanly(cluster);
});

const slowExecutor = join(import.meta.dirname, "harness", "slow-executor.ts");

function loseExecutorState({ place }: LocalNode): void {
  const directory = join(place.home, "data");
  for (const name of readdirSync(directory)) {
    if (name.startsWith("kv.mdb")) rmSync(join(directory, name));
  }
}

async function unreadyReason(node: LocalNode): Promise<string> {
  try {
    const response = await fetch(`${node.rpcUrl}/health/ready`);
    return await response.text();
  } catch {
    // A process that is starting does not answer.
    return "";
  }
}
