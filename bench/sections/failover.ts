/**
 * For how long nobody commits when a leader dies (`kill -9`) or hands over (SIGTERM): until the next
 * leader's first commit, as its proposer and as the other survivor see it.
 */

import { setTimeout } from "node:timers/promises";
import { BenchCluster, quickTimeouts, type Told } from "../cluster.ts";
import { type Figure, figure } from "../figure.ts";
import { lightLoad, measureGap } from "../gap.ts";
import type { Section, SectionContext } from "../section.ts";

/** A member that was restarted reads its log and compiles its code: the next measurement waits for that. */
const warmUpMs = 500;

export const failoverSection: Section = {
  name: "failover",
  async run(context: SectionContext): Promise<readonly Figure[]> {
    const cluster = await BenchCluster.start({ ...context, timeouts: quickTimeouts });
    try {
      await cluster.keepProposing(lightLoad);
      return [
        ...(await gaps(context, cluster, "SIGKILL", "kill -9 of the leader")),
        ...(await gaps(context, cluster, "SIGTERM", "hand-over on SIGTERM")),
      ];
    } finally {
      await cluster.stop();
    }
  },
};

async function gaps(
  { effort }: SectionContext,
  cluster: BenchCluster,
  signal: "SIGKILL" | "SIGTERM",
  name: string,
): Promise<readonly Figure[]> {
  const acknowledged: number[] = [];
  const seen: number[] = [];
  for (let run = 0; run < effort.failovers; run++) {
    await cluster.settled();
    const { term } = cluster;
    // Of a newer term: a member that was restarted sees the commands of older ones again.
    const byFollower = cluster.next(
      (told): told is Told & { readonly kind: "seen" } => told.kind === "seen" && told.term > term,
    );
    const [{ fromMs, untilMs, ended }, { atMs }] = await Promise.all([
      measureGap(cluster, signal),
      byFollower,
    ]);
    acknowledged.push(untilMs - fromMs);
    seen.push(atMs - fromMs);
    await cluster.restart(ended);
    await ended.keepProposing(lightLoad);
    await setTimeout(warmUpMs);
  }
  return [
    figure("failover", `${name}: acknowledged`, "ms", acknowledged),
    figure("failover", `${name}: seen by a follower`, "ms", seen),
  ];
}
