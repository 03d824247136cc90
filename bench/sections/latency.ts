/** How long one commit takes when nothing else is under way. */

import { BenchCluster } from "../cluster.ts";
import { type Figure, figure, sizeText } from "../figure.ts";
import { commitFloor, type Section, type SectionContext } from "../section.ts";

/** A slow machine is measured less warm. */
const warmUpMaxSeconds = 20;
const sizes = [512, 10 * 1024, 100 * 1024, 1024 * 1024];

export const latencySection: Section = {
  name: "latency",
  async run(context: SectionContext): Promise<readonly Figure[]> {
    const cluster = await BenchCluster.start(context);
    try {
      const leader = await cluster.settled();
      const figures: Figure[] = [];
      const { seconds, warmUpCommits: commitsMax } = context.effort;
      const warmUp = { sizeBytes: 512, inFlight: 1, seconds: warmUpMaxSeconds, commitsMax };
      const { latenciesMs: warmingMs } = await leader.load(warmUp);
      if (warmingMs.length < commitsMax) {
        context.note(`latency was measured after ${warmingMs.length} commits, not ${commitsMax}`);
      }
      for (const sizeBytes of sizes) {
        const load = { sizeBytes, inFlight: 1, commitsMax: Number.POSITIVE_INFINITY };
        await leader.load({ ...load, seconds: seconds / 4 }); // warms up
        // The floor before and after, since the machine may not be the same for long.
        const before = await commitFloor(context, sizeBytes);
        const { latenciesMs } = await leader.load({ ...load, seconds });
        const after = await commitFloor(context, sizeBytes);
        const floor = { ...before, samples: [...before.samples, ...after.samples] };
        figures.push(
          figure("latency", `one in flight, ${sizeText(sizeBytes)}`, "ms", latenciesMs, floor),
        );
      }
      return figures;
    } finally {
      await cluster.stop();
    }
  },
};
