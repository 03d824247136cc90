/** How fast a member that was away takes what it missed from the leader's log. */

import type { BenchCluster, Told } from "./cluster.ts";

const entryBytes = 1024;

/** Entries a second, from the first contact with the leader to the last entry's delivery. The cluster is new. */
export async function catchUpPerSecond(cluster: BenchCluster, entries: number): Promise<number> {
  const leader = await cluster.settled();
  const absent = cluster.members.find((member) => member !== leader);
  if (absent === undefined) throw new Error("a cluster of three has a follower");
  await cluster.end(absent, "SIGKILL");
  await leader.load({ sizeBytes: entryBytes, inFlight: 256, seconds: 60, commitsMax: entries });
  const isFromAbsent = (told: Told) => told.memberId === absent.id;
  const contact = cluster.next(
    (told): told is Told & { kind: "contact" } => isFromAbsent(told) && told.kind === "contact",
  );
  const caughtUp = cluster.next(
    (told): told is Told & { kind: "delivered" } =>
      isFromAbsent(told) && told.kind === "delivered" && told.index > entries,
  );
  await cluster.restart(absent);
  const [end, begin] = await Promise.all([caughtUp, contact]);
  return (entries / (end.atMs - begin.atMs)) * 1000;
}
