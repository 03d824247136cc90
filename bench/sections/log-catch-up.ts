/** How fast a member that was away takes what it missed from the leader's log, from first contact on. */

import { BenchCluster, type Told } from "../cluster.ts";
import { type Figure, figure } from "../figure.ts";
import type { Section, SectionContext } from "../section.ts";

const entryBytes = 1024;

export const logCatchUpSection: Section = {
  name: "log-catch-up",
  async run(context: SectionContext): Promise<readonly Figure[]> {
    const { catchUpEntries } = context.effort;
    const cluster = await BenchCluster.start(context);
    try {
      const leader = await cluster.settled();
      const absent = cluster.members.find((member) => member !== leader);
      if (absent === undefined) throw new Error("a cluster of three has a follower");
      await absent.end("SIGKILL");
      cluster.forget(absent.id);
      await leader.load({
        sizeBytes: entryBytes,
        inFlight: 256,
        seconds: 60,
        commitsMax: catchUpEntries,
      });
      const isFromAbsent = (told: Told) => told.memberId === absent.id;
      const contact = cluster.next(
        (told): told is Told & { kind: "role" } =>
          isFromAbsent(told) && told.kind === "role" && told.report.leaderId !== null,
      );
      const caughtUp = cluster.next(
        (told): told is Told & { kind: "delivered" } =>
          isFromAbsent(told) && told.kind === "delivered" && told.index > catchUpEntries,
      );
      absent.start();
      const [end, begin] = await Promise.all([caughtUp, contact]);
      const elapsedMs = end.atMs - begin.atMs;
      const rate = (catchUpEntries / elapsedMs) * 1000;
      return [figure("log-catch-up", `${catchUpEntries} x 1 KB from the log`, "per s", [rate])];
    } finally {
      await cluster.stop();
    }
  },
};
