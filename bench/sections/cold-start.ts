/** From the start of three processes with empty folders to their first leader's first commit. */

import { monotonicMs } from "../../src/consensus/shared-lease.ts";
import { BenchCluster, quickTimeouts } from "../cluster.ts";
import { type Figure, figure } from "../figure.ts";
import type { Section, SectionContext } from "../section.ts";

const runs = 3;

export const coldStartSection: Section = {
  name: "cold-start",
  async run(context: SectionContext): Promise<readonly Figure[]> {
    const samples: number[] = [];
    for (let run = 0; run < runs; run++) {
      const cluster = await BenchCluster.start({ ...context, timeouts: quickTimeouts });
      try {
        const leader = await cluster.settled();
        await leader.load({ sizeBytes: 512, inFlight: 1, seconds: 60, commitsMax: 1 });
        samples.push(monotonicMs() - cluster.startedAtMs);
      } finally {
        await cluster.stop();
      }
    }
    return [figure("cold-start", "empty folders to first commit", "ms", samples)];
  },
};
