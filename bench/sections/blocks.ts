/** Whole nodes: blocks built, committed, signed, executed and stored, as fast as they come. */

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../src/base/task-group.ts";
import { monotonicMs } from "../../src/consensus/shared-lease.ts";
import { LocalCluster } from "../../src/devnet/local-cluster.ts";
import { type Figure, figure } from "../figure.ts";
import type { Section, SectionContext } from "../section.ts";

const patienceMs = 30_000;
const pollMs = 50;
const rounds = 3;

export const blocksSection: Section = {
  name: "blocks",
  async run({ workDir, effort }: SectionContext): Promise<readonly Figure[]> {
    const directory = await mkdtemp(join(workDir, "bench-"));
    const cluster = await LocalCluster.create({
      directory,
      nodeCount: 3,
      settings: { "node.block_time": "1ms", "log.level": "warn" },
    });
    try {
      await cluster.start();
      await heightAbove(cluster, 20); // warms up
      const rates: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const startedMs = monotonicMs();
        const before = await height(cluster);
        await sleep((effort.seconds / rounds) * 1000);
        const blocks = (await height(cluster)) - before;
        rates.push((blocks / (monotonicMs() - startedMs)) * 1000);
      }
      return [figure("blocks", "empty blocks, whole nodes, block time 1 ms", "per s", rates)];
    } finally {
      await cluster.stop();
      await rm(directory, { recursive: true, force: true });
    }
  },
};

async function heightAbove(cluster: LocalCluster, wanted: number): Promise<void> {
  const endMs = monotonicMs() + patienceMs;
  while ((await height(cluster)) < wanted) {
    if (monotonicMs() > endMs) throw new Error(`no ${wanted} blocks within ${patienceMs} ms`);
    await sleep(pollMs);
  }
}

/** The highest height that any node has stored. */
async function height({ running }: LocalCluster): Promise<number> {
  const statuses = await Promise.all(running.map((node) => node.status()));
  return Math.max(0, ...statuses.map((status) => status?.height ?? 0));
}
