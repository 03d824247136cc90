/** P6: a raft_dir is lost, while the cluster runs under load; or most of them at once. */

import { expect, it } from "vitest";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { auditChain } from "./harness/chain.ts";
import {
  endCleanly,
  kill,
  logLines,
  startCluster,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { loseRaftDir } from "./harness/disks.ts";
import { countFrom, printedDice } from "./harness/effort.ts";
import { Load } from "./harness/load.ts";
import { until } from "./harness/until.ts";

/** How often a disk is lost; more by `EVM_E2E_WIPES`. */
const wipes = countFrom("EVM_E2E_WIPES", 3);

it(`a node that loses its raft_dir ${wipes} times votes again, and no block is lost`, {
  timeout: 120_000 + wipes * 60_000,
}, async () => {
  const dice = printedDice();
  const cluster = await startCluster({ settings: { "node.block_time": "100ms" } });
  const load = new Load(cluster.nodes);
  load.start();
  for (let nth = 0; nth < wipes; nth++) {
    const victim = dice.pick(cluster.nodes);
    const before = timesSaid(victim, "raft: recovered");
    await kill(victim);
    await loseRaftDir(victim);
    await victim.start();
    await until(`${victim.id} has regained its log`, () =>
      Promise.resolve(timesSaid(victim, "raft: recovered") > before),
    );
    await untilAllFollow(cluster);
  }
  const acknowledged = await load.stop();
  const chain = await auditChain(cluster, acknowledged);
  expect(chain.length).toBeGreaterThan(0);
  await endCleanly(cluster);
});

it("two of three that lost theirs begin no new chain over the blocks that are there, and say why", {
  timeout: 240_000,
}, async () => {
  const cluster = await startCluster({ settings: { "node.block_time": "100ms" } });
  const [first, second, third] = cluster.nodes;
  if (first === undefined || second === undefined || third === undefined) {
    throw new Error("a cluster of three");
  }
  await untilGrown(first, 5);
  await Promise.all(cluster.nodes.map(kill));
  // Each at the first start of all, but for one that was slow then and found the log begun.
  const logsBegun = [first, second].map((node) => timesSaid(node, "beginning a new log"));
  await Promise.all([first, second].map(loseRaftDir));
  await Promise.all([first, second].map((node) => node.start()));
  for (const node of [first, second]) {
    await untilWaits(node, /has blocks up to height \d+.*once all members have answered/);
  }
  await third.start();
  for (const node of [first, second]) {
    await untilWaits(node, /node-3 has a log up to entry \d+.*lost theirs too/);
  }
  const logsBegunSince = [first, second].map((node) => timesSaid(node, "beginning a new log"));
  expect(logsBegunSince).toEqual(logsBegun);
});

function timesSaid(node: LocalNode, words: string): number {
  return logLines(node).filter((line) => line.includes(words)).length;
}

async function untilWaits(node: LocalNode, reason: RegExp): Promise<void> {
  await until(`${node.id} waits since ${reason}`, () =>
    Promise.resolve(
      logLines(node).some((line) => /waiting, since/.test(line) && reason.test(line)),
    ),
  );
}
