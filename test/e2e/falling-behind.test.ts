/** A follower that was away for longer than the log reaches comes back by itself, and one for shorter from the log. */

import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { expectSameBlocks } from "./harness/chain.ts";
import {
  endCleanly,
  heightOf,
  kill,
  logLines,
  othersThan,
  producingLeader,
  startCluster,
  statusOf,
  untilGrown,
} from "./harness/cluster.ts";
import { describeDistribution, median, quantile, report } from "./harness/distribution.ts";
import { countFrom, printedDice } from "./harness/effort.ts";
import {
  arrivals,
  before,
  longestPauses,
  type Period,
  pausesIn,
  snapshotPeriods,
} from "./harness/gaps.ts";
import { Load } from "./harness/load.ts";
import { commitMany } from "./harness/transactions.ts";
import { until } from "./harness/until.ts";
import { Watch } from "./harness/watch.ts";

const settings = {
  "node.block_time": "5ms",
  "raft.snapshot_threshold": "100",
  "raft.trailing_logs": "200",
  // The machine is busy with more than this, and stands still for seconds; who leads is not under test.
  "raft.heartbeat_timeout": "5s",
  "raft.election_timeout": "5s",
  "raft.leader_lease_timeout": "2500ms",
};

/** What each snapshot holds beside a block; 60,000 and so on by `EVM_E2E_IDENTITIES`. */
const identities = countFrom("EVM_E2E_IDENTITIES", 5_000);

/** How much longer a usual pause may be; that no snapshot is encoded in one go, test/sequencer/snapshot.test.ts shows. */
const slower = 5;

/** How much longer the longest pause may be, beside what the machine itself stood still. */
const longerMs = 1_000;

/** Where 99 of 100 pauses are shorter before the follower comes back, as on two idle cores (31 ms), they are compared. */
const calmP99MaxMs = 60;

/** More than the log keeps; 20,000 and so on by `EVM_E2E_BLOCKS_AWAY`. */
const blocksAway = countFrom("EVM_E2E_BLOCKS_AWAY", 600);

/** A shorter way says nothing of memory: a process that has just started takes ever more. */
const isLongWay = blocksAway >= 5_000;

it(`returns after ${blocksAway} blocks by snapshot and backfill, never leading${isLongWay ? ", in flat memory" : ""}`, {
  timeout: 300_000 + blocksAway * 300,
}, async () => {
  const patience = { limitMs: 120_000 + blocksAway * 100 };
  const cluster = await startCluster({ settings });
  const load = new Load(cluster.nodes, { txPerSecond: 50 });
  load.start();
  const leader = await producingLeader(cluster);
  await commitMany(leader, identities);
  const follower = printedDice().pick(othersThan(leader, cluster));
  const from = await heightOf(follower);
  await kill(follower);
  const stalls = new Stalls(join(leader.place.home, "..", "stalls"));
  const calm = { fromMs: Date.now(), toMs: Number.NaN };
  await untilGrown(leader, blocksAway, patience);
  const termBefore = (await statusOf(leader)).raft?.term;
  calm.toMs = Date.now();

  const to = await heightOf(leader);
  const saidBefore = logLines(follower).length - 1;
  await follower.start();
  const watch = new Watch(follower);
  await until("the follower is back, and ready", () => watch.isBack(to), patience);
  const busy = { fromMs: calm.toMs, toMs: Date.now() };
  watch.stop();
  const stalledMs = await stalls.longestMs(busy);

  const seconds = (busy.toMs - busy.fromMs) / 1000;
  const memoryMiB = watch.memoryMiB({ from, to }, 4);
  const pauses = longestPauses(arrivals([leader]), [calm, busy]);
  const [calmMs = 0, busyMs = 0] = pauses;
  report(
    `returned to height ${to} after ${to - from} blocks in ${seconds.toFixed(1)} s, start included: ` +
      `${Math.round((to - from) / seconds)} blocks/s; RssAnon ${memoryMiB.join(" ")} MiB by quarters of ` +
      `the way; the leader's longest pause ${busyMs} ms meanwhile, ${calmMs} ms before; the machine stood ` +
      `still for up to ${stalledMs} ms meanwhile`,
  );
  const blocks = arrivals([leader]);
  const [calmP99 = 0, busyP99 = 0] = [calm, busy].map((period) =>
    quantile(pausesIn(blocks, period), 0.99),
  );
  const snapshots = snapshotPeriods(leader).filter(({ fromMs }) => fromMs > calm.fromMs);
  const during = longestPauses(blocks, snapshots);
  const between = longestPauses(blocks, before(snapshots));
  report(
    `99 of 100 pauses: ${calmP99} ms before, ${busyP99} ms meanwhile; the longest while a snapshot was ` +
      `taken: ${describeDistribution(during)}, and as long before: ${describeDistribution(between)}`,
  );
  expect((await statusOf(leader)).raft?.term, "the leader has not changed").toBe(termBefore);
  const said = logLines(follower).slice(saidBefore).join("\n");
  // It may have asked for votes, and was refused.
  expect([...watch.roles]).not.toContain("leader");
  expect(said).not.toMatch(/raft: entering leader state/);
  expect([...watch.unreadyReasons].join()).toContain("missing blocks are fetched");
  expect(said).toMatch(/raft: installed remote snapshot/);
  expect(said).toMatch(/p2p: missing blocks fetched/);
  if (isLongWay) expectFlat(memoryMiB);
  if (calmP99 < calmP99MaxMs) {
    // The machine is shared by one more now, and by one that starts: a few blocks may each take a little longer.
    expect(busyMs).toBeLessThan(calmMs + longerMs + stalledMs);
    expect(busyP99).toBeLessThan(slower * calmP99);
    expect(median(during), "a snapshot is taken in turns with blocks").toBeLessThan(
      slower * median(between),
    );
  } else report(`the pauses are not compared: 99 of 100 took up to ${calmP99} ms before`);
  await load.stop();
  await expectSameBlocks(leader, follower, { from: 1, to });
  await endCleanly(cluster);
});

it("returns from the log alone if that reaches back far enough", { timeout: 240_000 }, async () => {
  const cluster = await startCluster({ settings: { ...settings, "raft.trailing_logs": "5000" } });
  const leader = await producingLeader(cluster);
  const [follower = leader] = othersThan(leader, cluster);
  await kill(follower);
  await untilGrown(leader, 200);
  await follower.start();
  const target = await heightOf(leader);
  await until("the follower is back", async () => (await heightOf(follower)) > target);
  const metrics = await (await fetch(leader.metricsUrl)).text();
  expect(metrics).toContain("# TYPE evnode_raft_replication_install_snapshot_total counter");
  expect(metrics).not.toMatch(/raft_replication_install_snapshot_total\{[^}]*\} [1-9]/);
  expect(logLines(follower).join("\n")).not.toMatch(/missing blocks/);
  await endCleanly(cluster);
});

const probeEveryMs = 50;

/** How long the machine itself stands still, its processors and its disk: a small file is written on and on. */
class Stalls {
  readonly #seen: { readonly atMs: number; readonly tookMs: number }[] = [];
  readonly #watching: Promise<void>;
  #isWatching = true;

  constructor(file: string) {
    this.#watching = this.#watch(file);
    onTestFinished(() => this.#stop());
  }

  /** The longest that one write took which ended in the period. Ends the watch. */
  async longestMs({ fromMs, toMs }: Period): Promise<number> {
    await this.#stop();
    const meanwhile = this.#seen.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
    return Math.max(0, ...meanwhile.map(({ tookMs }) => tookMs));
  }

  async #stop(): Promise<void> {
    this.#isWatching = false;
    await this.#watching;
  }

  async #watch(path: string): Promise<void> {
    const file = await open(path, "w");
    while (this.#isWatching) {
      const startMs = Date.now();
      await delay(probeEveryMs);
      await file.write("still here", 0);
      await file.datasync();
      const atMs = Date.now();
      this.#seen.push({ atMs, tookMs: atMs - startMs - probeEveryMs });
    }
    await file.close();
  }
}

/** The end of the way takes little more than its beginning, however long it is: V8 lets some garbage lie. */
function expectFlat(memoryMiB: readonly number[]): void {
  expect(Math.min(...memoryMiB), `seen in each: ${memoryMiB}`).toBeGreaterThan(0);
  const half = memoryMiB.length / 2;
  const [before, after] = [memoryMiB.slice(0, half), memoryMiB.slice(half)];
  expect(Math.max(...after) / Math.max(...before), `${memoryMiB}`).toBeLessThan(1.5);
}
