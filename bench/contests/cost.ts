/** What a cluster costs: the wait for its first commit, memory, and processor time. */

import { setTimeout } from "node:timers/promises";
import { aims } from "../aims.ts";
import { type BenchCluster, quickTimeouts } from "../cluster.ts";
import type { Contest, MeasureContest } from "./contest.ts";

const coldStart = {
  work: "empty folders to first commit",
  unit: "ms",
  aims: aims.coldStart,
} as const;
const memory = { work: "memory of a member, idle", unit: "MB", aims: aims.memory } as const;
const processor = {
  work: "processor, 1,000 commits, whole cluster",
  unit: "s",
  aims: aims.processor,
} as const;

/** For what a start leaves to be collected. */
const settleMs = 1_000;

export const costContest: MeasureContest = async (contest) => {
  await measureColdStarts(contest);
  const costs = [];
  for (const entrant of contest.entrants) {
    costs.push(
      await contest.withCluster(entrant, {}, (cluster) => costOf(cluster, contest.effort.seconds)),
    );
  }
  contest.report(
    memory,
    costs.map(({ megabytes }) => megabytes),
  );
  contest.report(
    processor,
    costs.map(({ cpuSeconds }) => [cpuSeconds]),
  );
};

async function measureColdStarts(contest: Contest): Promise<void> {
  const samples = contest.entrants.map((): number[] => []);
  for (let run = 0; run < contest.effort.coldStarts; run++) {
    for (const [at, entrant] of contest.entrants.entries()) {
      const firstMs = await contest.withCluster(entrant, { timeouts: quickTimeouts }, (cluster) =>
        cluster.firstCommitMs(),
      );
      samples[at]?.push(firstMs);
    }
  }
  contest.report(coldStart, samples);
}

async function costOf(cluster: BenchCluster, seconds: number) {
  const leader = await cluster.settled();
  await setTimeout(settleMs);
  const usages = await Promise.all(cluster.members.map((member) => member.usage()));
  const commits = Math.min(1000, Math.ceil(seconds * 500));
  const load = { sizeBytes: 512, inFlight: 1, seconds: 60, commitsMax: commits };
  await leader.load(load); // warms up
  const cpuBefore = await cluster.cpuSeconds();
  await leader.load(load);
  const cpuSeconds = (((await cluster.cpuSeconds()) - cpuBefore) / commits) * 1000;
  return {
    megabytes: usages.map(({ residentBytes }) => residentBytes / (1024 * 1024)),
    cpuSeconds,
  };
}
