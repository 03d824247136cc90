/**
 * `kill -9` at random moments of a return: while a snapshot is installed, while blocks are fetched, while the
 * log is shortened. Each time the node resumes by itself, and no block of it is wrong or missing.
 */

import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import type { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import type { Dice } from "../simulation/dice.ts";
import { auditChain, expectSameBlocks } from "./harness/chain.ts";
import {
  endCleanly,
  heightOf,
  kill,
  othersThan,
  producingLeader,
  startCluster,
  untilGrown,
} from "./harness/cluster.ts";
import { loseData } from "./harness/disks.ts";
import { report } from "./harness/distribution.ts";
import { countFrom, printedDice } from "./harness/effort.ts";
import { Load } from "./harness/load.ts";
import { LogTail } from "./harness/log-tail.ts";
import { until } from "./harness/until.ts";
import { Watch } from "./harness/watch.ts";

/** More by `EVM_E2E_KILLS`. */
const kills = countFrom("EVM_E2E_KILLS", 3);

const settings = {
  "node.block_time": "5ms",
  "raft.snapshot_threshold": "40",
  "raft.trailing_logs": "20",
  // The machine is busy with more than this; who leads is not under test.
  "raft.heartbeat_timeout": "1s",
  "raft.election_timeout": "1s",
  "raft.leader_lease_timeout": "500ms",
};

/** Far more than the log keeps. */
const blocksAway = 150;
/** So often the blocks are gone, too, and all of them are fetched. */
const dataLostShare = 0.1;
const often = { everyMs: 2 };
/** The chain of many kills is long. */
const patience = { limitMs: 600_000 };

interface Scene {
  readonly cluster: LocalCluster;
  readonly leader: LocalNode;
  readonly victim: LocalNode;
  readonly dice: Dice;
}

/** Each brings the victim to such a moment, which the kill then ends. */
const moments = {
  "installing a snapshot": async ({ cluster, leader, victim, dice }: Scene) => {
    await absence(leader, victim);
    const tails = othersThan(victim, cluster).map((node) => new LogTail(node));
    await victim.start();
    const sending = new RegExp(`sending snapshot to peer peer=${victim.id}`);
    await until("it is sent a snapshot", () => tails.some((tail) => tail.has(sending)), often);
    // It takes some milliseconds to arrive, to be stored, and to be taken over.
    await delay(dice.magnitude(1, 60));
  },
  "fetching blocks": async ({ leader, victim, dice }: Scene) => {
    const from = await heightOf(victim);
    await absence(leader, victim);
    const isEmpty = dice.chance(dataLostShare);
    if (isEmpty) await loseData(victim);
    const first = isEmpty ? 1 : from;
    const killAt = first + dice.between(0, 1) * ((await heightOf(leader)) - first);
    await victim.start();
    await until(
      `it is above height ${killAt}`,
      async () => ((await victim.status())?.height ?? 0) >= killAt,
      often,
    );
  },
  "shortening its log": async ({ victim, dice }: Scene) => {
    const tail = new LogTail(victim);
    await until("it takes a snapshot", () => tail.has(/raft: snapshot taken/), often);
    await delay(dice.magnitude(0.1, 30));
  },
};

async function absence(leader: LocalNode, victim: LocalNode): Promise<void> {
  await kill(victim);
  await untilGrown(leader, blocksAway);
}

it(`resumes after each of ${kills} kills, with no block wrong or missing`, {
  timeout: 240_000 + kills * 60_000,
}, async () => {
  const dice = printedDice();
  const cluster = await startCluster({ settings });
  const load = new Load(cluster.nodes, { txPerSecond: 50 });
  load.start();
  const leader = await producingLeader(cluster);
  const victim = dice.pick(othersThan(leader, cluster));
  const scene = { cluster, leader, victim, dice };
  const said = new LogTail(victim);
  let checkedThrough = 0;
  for (let nth = 0; nth < kills; nth++) {
    const [name, reach] = Object.entries(moments)[nth % Object.keys(moments).length] ?? [];
    if (name === undefined || reach === undefined) throw new Error("there are such moments");
    await reach(scene);
    await kill(victim);
    const to = await heightOf(leader);
    await victim.start();
    const watch = new Watch(victim);
    const isBack = () => watch.isBack(to);
    await until(`${victim.id} is back after kill ${nth + 1}, ${name}`, isBack, patience);
    expect([...watch.roles], name).not.toContain("leader");
    await expectSameBlocks(leader, victim, { from: checkedThrough + 1, to });
    checkedThrough = to;
  }
  const counts = {
    installed: said.count(/raft: installed remote snapshot/),
    fetched: said.count(/p2p: missing blocks fetched/),
    shortened: said.count(/raft: snapshot taken.*entriesRemoved=[1-9]/),
  };
  report(
    `${victim.id} was killed ${kills} times until height ${checkedThrough}; it installed ${counts.installed} ` +
      `snapshots, fetched missing blocks to the end ${counts.fetched} times, and shortened its log ` +
      `${counts.shortened} times`,
  );
  expect(Math.min(...Object.values(counts)), "each happened").toBeGreaterThan(0);
  // Also of what it had before: nothing was lost on the way.
  await auditChain(cluster, await load.stop());
  await endCleanly(cluster);
});
