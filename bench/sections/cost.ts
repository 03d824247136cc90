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
      const cpuBefore = await cluster.cpuSeconds();
      await leader.load(load);
      const cpuSeconds = (await cluster.cpuSeconds()) - cpuBefore;
      const after = await usage();
      const syncCalls = await countSyncCalls(
        cluster.members.map((member) => member.pid),
        () => leader.load(load),
      );
      if (syncCalls === null) context.note("strace is not here, or may not attach: no sync calls");
      const megabytes = (bytes: number) => bytes / (1024 * 1024);
      return [
        figure("cost", "processor, 1,000 commits, whole cluster", "s", [
          (cpuSeconds / commits) * 1000,
        ]),
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
