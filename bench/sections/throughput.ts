/** How many entries are committed in a second when many wait together. */

import { BenchCluster } from "../cluster.ts";
import { type Figure, figure, sizeText } from "../figure.ts";
import type { Section, SectionContext } from "../section.ts";

const loads = [
  { inFlight: 64, sizeBytes: 512 },
  { inFlight: 256, sizeBytes: 512 },
  { inFlight: 64, sizeBytes: 10 * 1024 },
  { inFlight: 256, sizeBytes: 10 * 1024 },
];

/** Rounds over all loads, so that a slow moment of the machine does not hit one of them alone. */
const rounds = 3;

export const throughputSection: Section = {
  name: "throughput",
  async run(context: SectionContext): Promise<readonly Figure[]> {
    const cluster = await BenchCluster.start(context);
    try {
      const leader = await cluster.settled();
      const seconds = context.effort.seconds / rounds;
      const rates = loads.map((): number[] => []);
      const latencies = loads.map((): number[] => []);
      const processor = loads.map((): number[] => []);
      for (let round = 0; round < rounds; round++) {
        for (const [at, load] of loads.entries()) {
          const cpuBefore = await cluster.cpuSeconds();
          const result = await leader.load({
            ...load,
            seconds,
            commitsMax: Number.POSITIVE_INFINITY,
          });
          const cpuSeconds = (await cluster.cpuSeconds()) - cpuBefore;
          const commits = result.latenciesMs.length;
          rates[at]?.push((commits / result.elapsedMs) * 1000);
          processor[at]?.push((cpuSeconds / commits) * 1000);
          latencies[at]?.push(...result.latenciesMs);
        }
      }
      return loads.flatMap(({ inFlight, sizeBytes }, at) => {
        const name = `${inFlight} in flight, ${sizeText(sizeBytes)}`;
        return [
          figure("throughput", name, "per s", rates[at] ?? []),
          figure("throughput", `${name}: latency`, "ms", latencies[at] ?? []),
          figure("throughput", `${name}: processor, 1,000 commits`, "s", processor[at] ?? []),
        ];
      });
    } finally {
      await cluster.stop();
    }
  },
};
