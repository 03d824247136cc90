/**
 * Members are killed at random moments while snapshots are taken and installed and logs are shortened:
 * each comes back from what it finds, and all have the same history. KILLS sets how many; SEED, which.
 */

import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { Dice } from "../simulation/dice.ts";
import { HashingCluster, type HashingMember } from "./harness/hashing-cluster.ts";
import { until } from "./harness/until.ts";

const { KILLS = "8", SEED = String(Math.floor(Math.random() * 1e9)) } = process.env;
const kills = Number(KILLS);
const seed = Number(SEED);
const dice = new Dice(seed);
const snapshotThreshold = 40;
const trailingLogs = 10;

let cluster: HashingCluster | null = null;
afterEach(() => cluster?.clear());

/** Killed, and away until the others' logs do not reach back to it any more; then killed while it returns. */
async function killReturning(all: HashingCluster, member: HashingMember): Promise<void> {
  await member.kill();
  await member.inspect();
  const away = all.others(member);
  const base = new Map(away.map((other) => [other, other.count("snapshotTaken")]));
  await until("the others shorten their logs", () =>
    away.every((other) => other.count("snapshotTaken") >= (base.get(other) ?? 0) + 2),
  );
  member.start();
  const sentBefore = all.count("snapshotSent");
  await until("a snapshot is sent", () => all.count("snapshotSent") > sentBefore);
  // It takes some milliseconds to arrive, to be stored, to be applied, and to be saved.
  await delay(dice.magnitude(1, 60));
  await member.kill();
  await member.inspect();
  member.start();
}

/** Killed at any moment: every 40 entries it takes a snapshot and shortens its log. */
async function killWorking(member: HashingMember): Promise<void> {
  await delay(dice.between(0, 300));
  await member.kill();
  await member.inspect();
  member.start();
}

describe("kill -9", () => {
  it(
    `${kills} times leaves a log that a snapshot stands behind, and one history`,
    async () => {
      cluster = await HashingCluster.create({
        snapshotThreshold,
        trailingLogs,
        snapshotBytes: 2 * 1024 * 1024,
        proposeEveryMs: 1,
      });
      await cluster.progresses();
      for (let killed = 0; killed < kills; ) {
        const member = dice.pick(cluster.members);
        if (dice.chance(0.6)) {
          await killReturning(cluster, member);
          killed += 2;
        } else {
          await killWorking(member);
          killed += 1;
        }
        await cluster.progresses();
      }
      const events = ["snapshotTaken", "snapshotSent", "snapshotInstalled", "restored"];
      const counts = events.map((event) => `${event}=${cluster?.count(event)}`).join(" ");
      process.stdout.write(`seed=${seed} kills=${kills} index=${cluster.index} ${counts}\n`);
      expect(cluster.count("snapshotInstalled")).toBeGreaterThan(0);
    },
    60_000 + kills * 20_000,
  );
});
