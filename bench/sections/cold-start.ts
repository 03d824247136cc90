/** From the start of three processes with empty folders to their first leader's first commit. */

import { BenchCluster, quickTimeouts } from "../cluster.ts";
import { type Figure, figure } from "../figure.ts";
import type { Section, SectionContext } from "../section.ts";

export const coldStartSection: Section = {
  name: "cold-start",
  async run(context: SectionContext): Promise<readonly Figure[]> {
    const samples: number[] = [];
    for (let run = 0; run < context.effort.coldStarts; run++) {
      const cluster = await BenchCluster.start({ ...context, timeouts: quickTimeouts });
      try {
        samples.push(await cluster.firstCommitMs());
      } finally {
        await cluster.stop();
      }
    }
    return [figure("cold-start", "empty folders to first commit", "ms", samples)];
  },
};
