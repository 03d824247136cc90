/** `pruning.*` on a node that runs: old blocks go, and clients and operators are told what is left. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { until } from "../e2e/harness/until.ts";

const directory = mkdtempSync(join(tmpdir(), "evm-pruning-"));
let cluster: LocalCluster;
let node: LocalNode;

beforeAll(async () => {
  cluster = await LocalCluster.create({
    directory,
    nodeCount: 1,
    settings: {
      "node.block_time": "5ms",
      "pruning.pruning_mode": "all",
      "pruning.pruning_keep_recent": "20",
      "pruning.pruning_interval": "1s",
      "raft.snapshot_threshold": "20",
      "raft.trailing_logs": "10",
    },
  });
  await cluster.start();
  node = cluster.node("node-1");
});

afterAll(async () => {
  await cluster?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const Refused = z.object({
  error: z.object({
    code: z.string(),
    earliest_height: z.number(),
    latest_height: z.number(),
  }),
});

async function get(path: string): Promise<Response> {
  return fetch(`${node.rpcUrl}${path}`);
}

it("answers 404 with the heights that it has for a block that is gone, also after a restart", async () => {
  const isGone = async () => (await get("/block/1")).status === 404;
  await until(
    "the first block is removed",
    async () => ((await height()) > 100 ? isGone() : null),
    {
      limitMs: 60_000,
    },
  );
  const check = async () => {
    const { error: refused } = Refused.parse(await (await get("/block/1")).json());
    expect(refused.code).toBe("BLOCK_NOT_FOUND");
    expect(refused.earliest_height).toBeGreaterThan(1);
    expect(refused.latest_height - refused.earliest_height).toBeGreaterThanOrEqual(19);
    expect((await get(`/block/${refused.latest_height}`)).status).toBe(200);
    const metrics = await (await fetch(node.metricsUrl)).text();
    expect(metrics).toMatch(/^evnode_sequencer_earliest_height\{.*\} ([2-9]|[1-9]\d+)$/m);
    return refused;
  };
  const before = await check();
  await node.stop(25_000);
  await node.start();
  await until("it answers again", async () => (await node.status()) !== null, { limitMs: 60_000 });
  expect((await check()).earliest_height).toBeGreaterThanOrEqual(before.earliest_height);
});

async function height(): Promise<number> {
  return (await node.status())?.height ?? 0;
}
