/** Every node shortens its log behind its snapshots, and says so; who was away for longer is sent one. */

import { expect, it } from "vitest";
import { z } from "zod";
import type { LocalCluster } from "../../src/devnet/local-cluster.ts";
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
import { Load } from "./harness/load.ts";
import { until } from "./harness/until.ts";

const settings = {
  "node.block_time": "100ms",
  "raft.snapshot_threshold": "30",
  "raft.trailing_logs": "10",
};

const statusSchema = z.object({
  result: z.object({ raft_info: z.object({ first_log_index: z.number() }) }),
});

async function firstLogIndex(node: LocalNode): Promise<number> {
  const answer = await until(`${node.id} answers`, () => node.get("/status"));
  return statusSchema.parse(answer.body).result.raft_info.first_log_index;
}

/** A follower is away for `blocks` blocks, and back. */
async function absence(cluster: LocalCluster, blocks: number): Promise<LocalNode> {
  const leader = await producingLeader(cluster);
  const follower = cluster.nodes.find((node) => node !== leader);
  if (follower === undefined) throw new Error("a cluster has followers");
  await kill(follower);
  await untilGrown(leader, blocks);
  await follower.start();
  await untilAllFollow(cluster);
  return follower;
}

const hasLogged = (node: LocalNode, text: RegExp) => logLines(node).some((line) => text.test(line));

it("away for longer than the log reaches back, a node is sent a snapshot", {
  timeout: 240_000,
}, async () => {
  const cluster = await startCluster({ settings });
  const load = new Load(cluster.nodes);
  load.start();
  const follower = await absence(cluster, 100);
  expect(hasLogged(follower, /INF raft: installed remote snapshot leader=\S+ index=\d+/)).toBe(
    true,
  );
  await untilGrown(follower, 60);
  for (const node of cluster.nodes) {
    expect(await firstLogIndex(node)).toBeGreaterThan(60);
    const taken =
      /INF raft: snapshot taken index=\d+ term=\d+ bytes=\d+ durationMs=\d+ entriesRemoved=\d+$/;
    expect(hasLogged(node, taken), node.id).toBe(true);
  }
  await auditChain(cluster, await load.stop());
  await endCleanly(cluster);
});
