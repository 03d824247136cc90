/** P3: one log entry per block and one per term, so `trailing_logs` counts blocks. */

import { expect, it } from "vitest";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { auditChain } from "./harness/chain.ts";
import {
  endCleanly,
  kill,
  logLines,
  producingLeader,
  startCluster,
  untilGrown,
} from "./harness/cluster.ts";
import { sendTx } from "./harness/transactions.ts";
import { until } from "./harness/until.ts";

/** Taken together, when all that is in the log is applied; between two blocks that is so. */
async function logAndHeight(node: LocalNode) {
  return await until("a moment between two blocks", async () => {
    const status = await node.status();
    const raft = status?.raft;
    if (status == null || raft == null || raft.lastLogIndex !== raft.appliedIndex) return null;
    return { term: raft.term, lastLogIndex: raft.lastLogIndex, height: status.height };
  });
}

it("costs one entry a block, and one a term", { timeout: 120_000 }, async () => {
  const cluster = await startCluster({
    settings: {
      "node.block_time": "100ms",
      // A machine that stands still for a moment must not add a term while blocks are counted.
      "raft.heartbeat_timeout": "3s",
      "raft.election_timeout": "3s",
      "raft.leader_lease_timeout": "1500ms",
    },
  });
  const leader = await producingLeader(cluster);
  const before = await logAndHeight(leader);
  await sendTx(leader, "a=1");
  await until("a linearizable read", async () => {
    return (await leader.get("/state/a?consistency=linearizable"))?.status === 200;
  });
  await untilGrown(leader, 20);
  const after = await logAndHeight(leader);
  expect(after.term, "one leader all the while").toBe(before.term);
  expect(after.lastLogIndex - before.lastLogIndex).toBe(after.height - before.height);

  await kill(leader);
  const successor = await producingLeader(cluster, [leader]);
  await untilGrown(successor, 10);
  const { height, lastLogIndex } = await logAndHeight(successor);
  const chain = await auditChain(cluster);
  // Index 1 is the configuration that every node starts with. A term in which somebody led has one
  // more entry; a term in which nobody was elected has none.
  const termsWithBlocks = new Set(chain.slice(0, height).map((block) => block.raft_term)).size;
  const elections = cluster.nodes.flatMap((node) =>
    logLines(node).filter((line) => /election won tally=\d+$/.test(line)),
  ).length;
  expect(elections).toBeGreaterThanOrEqual(termsWithBlocks);
  expect(lastLogIndex - height - 1, "entries that are no blocks").toBe(elections);
  await endCleanly(cluster);
});
