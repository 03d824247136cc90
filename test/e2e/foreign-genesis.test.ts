/** A member with another genesis.json takes no part: it neither votes nor leads, and no chain is begun beside its own. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { expectSameBlocks } from "./harness/chain.ts";
import {
  createCluster,
  logLines,
  producingLeader,
  startCluster,
  terminate,
  untilGrown,
} from "./harness/cluster.ts";
import { loseData, loseRaftDir } from "./harness/disks.ts";
import { until } from "./harness/until.ts";

const settings = { "node.block_time": "50ms" };

it("a new cluster begins without it, and it ends", { timeout: 240_000 }, async () => {
  const cluster = await createCluster({ settings });
  const { foreign, members } = partsOf(cluster);
  await setChainId(foreign, "other");
  // It is there first, and asks for votes before there is anybody to outvote it.
  await foreign.start();
  await Promise.all(members.map((node) => node.start()));
  expect(await foreign.exited).toEqual({ code: 78, signal: null });
  await expectGoesOn(cluster, members);
  expectNothingDone(foreign);
  await terminate(members);
});

it("no chain is begun beside the blocks of another one, and none of it is taken for the new one's", {
  timeout: 240_000,
}, async () => {
  const cluster = await startCluster({ settings });
  const { foreign, members } = partsOf(cluster);
  await untilGrown(foreign, 20);
  await terminate(cluster.running);
  const before = logLines(foreign).length;
  for (const node of members) {
    await Promise.all([loseData(node), loseRaftDir(node), setChainId(node, "new")]);
  }
  await cluster.start();
  for (const node of members) {
    await until(`${node.id} says what it waits for`, () =>
      /waiting, since raft_dir is empty .*another genesis\.json: node-1 up to height/.test(
        logLines(node).join("\n"),
      ),
    );
  }
  await until("the log of the one with the blocks says so", () =>
    /ERR .*genesis\.json differs between members/.test(logLines(foreign).slice(before).join("\n")),
  );
  expectNothingDone(foreign, before);
  await terminate([foreign, ...members]);
  await Promise.all(members.map((node) => node.start()));
  await expectGoesOn(cluster, members);
  for (const node of members) {
    expect(logLines(node).join("\n")).toMatch(/beginning a new log.*baseHeight=0\n/);
  }
  await terminate(cluster.running);
});

function partsOf({ nodes }: LocalCluster): {
  readonly foreign: LocalNode;
  readonly members: readonly LocalNode[];
} {
  const [foreign, ...members] = nodes;
  if (foreign === undefined) throw new Error("a cluster has nodes");
  return { foreign, members };
}

async function setChainId({ place }: LocalNode, chainId: string): Promise<void> {
  const file = join(place.home, "config", "genesis.json");
  const genesis = await readFile(file, "utf8");
  await writeFile(file, genesis.replace(/"chain_id": "[^"]*"/, `"chain_id": "${chainId}"`));
  expect(await readFile(file, "utf8")).not.toBe(genesis);
}

/** The members alone have one chain, which grows, and none of them was given a block of another. */
async function expectGoesOn(cluster: LocalCluster, members: readonly LocalNode[]): Promise<void> {
  const leader = await producingLeader(cluster);
  expect(members).toContain(leader);
  await untilGrown(leader, 20);
  for (const node of members) {
    const to = await untilGrown(node, 1);
    await expectSameBlocks(leader, node, { from: 1, to });
    expect(logLines(node).join("\n")).not.toMatch(/committed block refused/);
  }
}

function expectNothingDone(foreign: LocalNode, fromLine = 0): void {
  const said = logLines(foreign).slice(fromLine).join("\n");
  expect(said).toMatch(/genesis\.json differs between members/);
  expect(said).not.toMatch(/entering leader state|election won|committed block refused/);
}
