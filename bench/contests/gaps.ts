/** For how long nobody commits when the leader is killed, and when it hands over. */

import { setTimeout } from "node:timers/promises";
import { aims } from "../aims.ts";
import { type BenchCluster, quickTimeouts } from "../cluster.ts";
import { lightLoad, measureGap } from "../gap.ts";
import type { MeasureContest, Row } from "./contest.ts";

const endings: readonly (Row & { readonly signal: "SIGKILL" | "SIGTERM" })[] = [
  { work: "kill -9 of the leader, gap", unit: "ms", aims: aims.kill, signal: "SIGKILL" },
  { work: "hand-over on SIGTERM, gap", unit: "ms", aims: aims.handOver, signal: "SIGTERM" },
];

/** A member that was restarted reads its log and compiles its code: the next turn waits for that. */
const warmUpMs = 500;

export const gapsContest: MeasureContest = (contest) =>
  contest.withClusters({ timeouts: quickTimeouts }, async (clusters) => {
    for (const { signal, ...row } of endings) {
      const samples = clusters.map((): number[] => []);
      for (let run = 0; run < contest.effort.failovers; run++) {
        for (const [at, cluster] of clusters.entries()) {
          samples[at]?.push(await gapMs(cluster, signal));
        }
      }
      contest.report(row, samples);
    }
  });

/** Only the cluster whose turn it is has anything to do. */
async function gapMs(cluster: BenchCluster, signal: "SIGKILL" | "SIGTERM"): Promise<number> {
  await cluster.settled();
  await cluster.keepProposing(lightLoad);
  const { fromMs, untilMs, ended } = await measureGap(cluster, signal);
  const survivors = cluster.members.filter((member) => member !== ended);
  await Promise.all(survivors.map((member) => member.rest()));
  await cluster.restart(ended);
  await cluster.settled();
  await setTimeout(warmUpMs);
  return untilMs - fromMs;
}
