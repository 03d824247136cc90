/** How fast a member that was away takes what it missed from the leader's log, from first contact on. */

import { BenchCluster } from "../cluster.ts";
import { type Figure, figure } from "../figure.ts";
import { catchUpPerSecond } from "../log-catch-up.ts";
import type { Section, SectionContext } from "../section.ts";

export const logCatchUpSection: Section = {
  name: "log-catch-up",
  async run(context: SectionContext): Promise<readonly Figure[]> {
    const { catchUpEntries } = context.effort;
    const cluster = await BenchCluster.start(context);
    try {
      const rate = await catchUpPerSecond(cluster, catchUpEntries);
      return [figure("log-catch-up", `${catchUpEntries} x 1 KB from the log`, "per s", [rate])];
    } finally {
      await cluster.stop();
    }
  },
};
