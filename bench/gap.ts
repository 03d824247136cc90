/**
 * For how long nobody commits when a leader ends: the longest time without an acknowledgement from the signal
 * to the first one in a newer term. A leader that hands over may work on for a while, and what was under way when
 * it was killed may still be acknowledged by another member.
 */

import { defined } from "../src/base/assert.ts";
import type { Term } from "../src/raft/types.ts";
import type { BenchCluster, Told } from "./cluster.ts";
import type { MemberProcess } from "./member/process.ts";

export interface Gap {
  readonly fromMs: number;
  readonly untilMs: number;
  /** The member that was ended. */
  readonly ended: MemberProcess;
}

type Acknowledged = Told & { readonly kind: "acknowledged" };

/** A light load: the leader is at work, and the machine is not full. */
export const lightLoad = { sizeBytes: 512, pauseMs: 5 };

/** Ends the leader of a cluster that keeps proposing. */
export async function measureGap(
  cluster: BenchCluster,
  signal: "SIGKILL" | "SIGTERM",
): Promise<Gap> {
  const { leader, term } = await working(cluster);
  const first = cluster.next(
    (told): told is Acknowledged => told.kind === "acknowledged" && told.term > term,
  );
  const [signalledMs, { atMs }] = await Promise.all([cluster.end(leader, signal), first]);
  const acknowledged = cluster.acknowledgedMs.filter((ms) => ms > signalledMs && ms < atMs);
  const moments = [signalledMs, ...acknowledged.toSorted((a, b) => a - b), atMs];
  const pauses = moments
    .slice(1)
    .map((untilMs, at) => ({ fromMs: moments[at] ?? untilMs, untilMs }));
  const [longest] = pauses.toSorted((a, b) => b.untilMs - b.fromMs - (a.untilMs - a.fromMs));
  return { ...defined(longest, "there is a pause"), ended: leader };
}

/** Whoever leads, in a term of which a command was just acknowledged: no election is under way unseen. */
async function working(
  cluster: BenchCluster,
): Promise<{ readonly leader: MemberProcess; readonly term: Term }> {
  for (;;) {
    const leader = await cluster.settled();
    const { term } = cluster;
    await cluster.next((told) => told.kind === "acknowledged");
    if (cluster.term === term) return { leader, term };
  }
}
