/** A member whose executor lags behind its blocks is not elected while another one is ready (P5). */

import { join } from "node:path";
import { expect, it } from "vitest";
import type { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { auditChain } from "./harness/chain.ts";
import {
  endCleanly,
  kill,
  othersThan,
  producingLeader,
  startCluster,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { loseExecutorState } from "./harness/disks.ts";
import { report } from "./harness/distribution.ts";
import { countFrom } from "./harness/effort.ts";
import { LogTail } from "./harness/log-tail.ts";
import { until } from "./harness/until.ts";
import { unreadyReason } from "./harness/watch.ts";

/** How often the leader dies; more by `EVM_E2E_ROUNDS`. */
const rounds = countFrom("EVM_E2E_ROUNDS", 4);
/** At a second a block an executor is busy with them for longer than any election takes. */
const blocksBehind = countFrom("EVM_E2E_BLOCKS_BEHIND", 150);
/** Long enough for elections on a busy machine: where one takes more than four of these, the unready may lead, too. */
const electionTimeoutMs = 2_000;
const settings = {
  "node.block_time": "20ms",
  "raft.heartbeat_timeout": "400ms",
  "raft.election_timeout": `${electionTimeoutMs}ms`,
  "raft.leader_lease_timeout": "200ms",
};
const leads = /raft: entering leader state/;

it(`another leads when the leader dies, ${rounds} times, and it takes no part but its vote`, {
  timeout: 240_000 + 20_000 * rounds + 200 * blocksBehind,
}, async () => {
  const cluster = await startCluster({ settings });
  const patience = { limitMs: 90_000 + 200 * blocksBehind };
  await untilGrown(await producingLeader(cluster), blocksBehind, patience);
  const [first = null] = othersThan(await producingLeader(cluster), cluster);
  if (first === null) throw new Error("there are three");
  await kill(first);
  let lagging = first;
  const behind: number[] = [];
  let indispensable = 0;
  for (let round = 1; round <= rounds; round++) {
    await startBehind(lagging);
    const { leader, blocks } = await untilLags(lagging, cluster);
    behind.push(blocks);
    const [ready = null] = othersThan(lagging, cluster).filter((node) => node !== leader);
    if (ready === null) throw new Error("there are three");
    // On a machine whose disk has just stalled for a moment it is not, for a while.
    await untilReady(ready);
    const tail = new LogTail(lagging);
    await kill(leader);
    const next = await producingLeader(cluster, [leader]);
    // Where the last block was on its disk and the dead one's only, nobody can lead without it.
    const itsLogIsLongest = new RegExp(
      `rejecting pre-vote request candidate=${ready.id} .*its log is behind`,
    );
    if (tail.has(itsLogIsLongest)) indispensable++;
    else {
      expect(next.id, `round ${round}`).toBe(ready.id);
      expect(await unreadyReason(lagging), `round ${round}`).toMatch(/executed again/);
      expect(tail.has(leads), `round ${round}`).toBe(false);
    }
    // It comes up to date now, and he who was killed will be the one that is behind.
    lagging.signal("SIGUSR2");
    await untilReady(lagging);
    lagging = leader;
  }
  expect(indispensable, "rounds that show nothing").toBeLessThan(rounds);
  await lagging.start();
  await untilAllFollow(cluster);
  report(
    `the leader was killed ${rounds} times, with another node's executor ${Math.min(...behind)} to ` +
      `${Math.max(...behind)} blocks behind`,
  );
  await auditChain(cluster);
  await endCleanly(cluster);
});

it("where all are behind one leads after a bounded wait, and builds once it has caught up", {
  timeout: 300_000,
}, async () => {
  const cluster = await startCluster({ settings });
  await untilGrown(await producingLeader(cluster), blocksBehind);
  await Promise.all(cluster.nodes.map(kill));
  const tails = cluster.nodes.map((node) => new LogTail(node));
  await Promise.all(cluster.nodes.map(startBehind));
  await until("somebody leads", async () => {
    const leader = await cluster.leader();
    return (await leader?.status())?.raft?.state === "catchingUp";
  });
  const [, majorityUpMs = 0] = momentsOf(tails, /INF raft: listening/);
  const [leadsMs = 0] = momentsOf(tails, leads);
  report(
    `all were behind: one led ${leadsMs - majorityUpMs} ms after a majority was up; a ready one, had there ` +
      `been one, would have refused the others for ${4 * electionTimeoutMs} ms`,
  );
  // Nobody waits for a ready one that there is not.
  for (const node of cluster.nodes) {
    await until(`${node.id} is behind`, async () =>
      /executed again/.test((await unreadyReason(node)) ?? ""),
    );
  }
  for (const node of cluster.nodes) node.signal("SIGUSR2");
  await untilGrown(await producingLeader(cluster), 10);
  await untilAllFollow(cluster);
  await auditChain(cluster);
  await endCleanly(cluster);
});

async function untilReady(node: LocalNode): Promise<void> {
  await until(`${node.id} is ready`, async () => (await unreadyReason(node)) === null);
}

/** When each node first said so, in order. */
function momentsOf(tails: readonly LogTail[], words: RegExp): number[] {
  return tails
    .map((tail) => tail.firstAtMs(words))
    .filter((atMs) => atMs !== null)
    .sort((a, b) => a - b);
}

const slowExecutor = join(import.meta.dirname, "harness", "slow-executor.ts");

/** A node that does not run, on an executor that has lost its state and takes its time. */
async function startBehind(node: LocalNode): Promise<void> {
  await loseExecutorState(node);
  await node.start({ NODE_OPTIONS: `--import ${slowExecutor}` });
}

/** Resolves, once it follows, with whom it follows, and how many blocks its executor lacks. */
function untilLags(node: LocalNode, cluster: LocalCluster) {
  return until(`${node.id} executes again, and follows`, async () => {
    // On a busy machine another may lead by now than a moment ago.
    const leader = await cluster.leader();
    const status = await node.status();
    const reason = await unreadyReason(node);
    const [, height, target] = /executed again: height (\d+) of (\d+)/.exec(reason ?? "") ?? [];
    const isFollowing = leader !== null && status?.raft?.leaderId === leader.id;
    if (!isFollowing || height === undefined) return null;
    return { leader, blocks: Number(target) - Number(height) };
  });
}
