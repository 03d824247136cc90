/**
 * For how long nobody commits when a leader dies (`kill -9`) or hands over (SIGTERM): from the signal to
 * the next leader's first commit, as its proposer and as the other survivor see it.
 */

import { setTimeout } from "node:timers/promises";
import { BenchCluster, quickTimeouts, type Told } from "../cluster.ts";
import { type Figure, figure } from "../figure.ts";
import type { Section, SectionContext } from "../section.ts";

/** A member that was restarted reads its log and compiles its code: the next measurement waits for that. */
const warmUpMs = 500;

type FirstCommit = Told & { readonly kind: "firstCommit" };

/** A light load: the leader is at work, and the machine is not full. */
const load = { sizeBytes: 512, pauseMs: 5 };

export const failoverSection: Section = {
  name: "failover",
  async run(context: SectionContext): Promise<readonly Figure[]> {
    const cluster = await BenchCluster.start({ ...context, timeouts: quickTimeouts });
    try {
      for (const member of cluster.members)
        await member.keepProposing(load.sizeBytes, load.pauseMs);
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
    const leader = await cluster.settled();
    const { term } = cluster;
    // Of a newer term: a member that was restarted sees the commands of older ones again.
    const isNew = (told: Told) =>
      told.kind === "firstCommit" && told.term > term && told.memberId !== leader.id;
    const own = cluster.next((told): told is FirstCommit => isNew(told) && isOwn(told));
    const other = cluster.next((told): told is FirstCommit => isNew(told) && !isOwn(told));
    const [signalledMs, byLeader, byFollower] = await Promise.all([leader.end(signal), own, other]);
    acknowledged.push(byLeader.atMs - signalledMs);
    seen.push(byFollower.atMs - signalledMs);
    cluster.forget(leader.id);
    const isBack = cluster.next((told) => told.kind === "started" && told.memberId === leader.id);
    leader.start();
    await isBack;
    await leader.keepProposing(load.sizeBytes, load.pauseMs);
    await setTimeout(warmUpMs);
  }
  return [
    figure("failover", `${name}: acknowledged`, "ms", acknowledged),
    figure("failover", `${name}: seen by a follower`, "ms", seen),
  ];
}

function isOwn(told: Told): boolean {
  return told.kind === "firstCommit" && told.isOwn;
}
