/** What commits cost the machine: processor, memory, and calls that wait for the disk. */

import { BenchCluster } from "../cluster.ts";
import { type Figure, figure } from "../figure.ts";
import type { Section, SectionContext } from "../section.ts";
import { countSyncCalls } from "../sync-calls.ts";

const sizeBytes = 512;

export const costSection: Section = {
  name: "cost",
  async run(context: SectionContext): Promise<readonly Figure[]> {
    const cluster = await BenchCluster.start(context);
    const usage = () => Promise.all(cluster.members.map((member) => member.usage()));
    const commits = Math.min(1000, Math.ceil(context.effort.seconds * 500));
    try {
      const leader = await cluster.settled();
      const load = { sizeBytes, inFlight: 1, seconds: 60, commitsMax: commits };
      const idle = await usage();
      await leader.load(load); // warms up
      const before = await usage();
      await leader.load(load);
      const after = await usage();
      /** Processor seconds for 1,000 commits, by member. */
      const cost = cluster.members.map((member, at) => {
        const seconds = (after[at]?.cpuSeconds ?? 0) - (before[at]?.cpuSeconds ?? 0);
        return { member, seconds: (seconds / commits) * 1000 };
      });
      const secondsOf = (members: typeof cost) => members.map(({ seconds }) => seconds);
      const syncCalls = await countSyncCalls(
        cluster.members.map((member) => member.pid),
        () => leader.load(load),
      );
      if (syncCalls === null) context.note("strace is not here, or may not attach: no sync calls");
      const megabytes = (bytes: number) => bytes / (1024 * 1024);
      return [
        figure("cost", "processor, 1,000 commits, whole cluster", "s", [
          secondsOf(cost).reduce((sum, seconds) => sum + seconds, 0),
        ]),
        figure(
          "cost",
          "processor, 1,000 commits, the leader",
          "s",
          secondsOf(cost.filter(({ member }) => member === leader)),
        ),
        figure(
          "cost",
          "processor, 1,000 commits, a follower",
          "s",
          secondsOf(cost.filter(({ member }) => member !== leader)),
        ),
        figure(
          "cost",
          "memory of a member, idle",
          "MB",
          idle.map((u) => megabytes(u.residentBytes)),
        ),
        figure(
          "cost",
          "memory of a member, after",
          "MB",
          after.map((u) => megabytes(u.residentBytes)),
        ),
        ...(syncCalls === null
          ? []
          : [figure("cost", "fdatasync a commit, whole cluster", "calls", [syncCalls / commits])]),
      ];
    } finally {
      await cluster.stop();
    }
  },
};
