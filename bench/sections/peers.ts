/** The same work done by the stack that this project replaces, turn by turn on the same machine. */

import { BenchCluster } from "../cluster.ts";
import { type Figure, figure, sizeText } from "../figure.ts";
import { HashicorpCluster, hasGo } from "../peers/hashicorp.ts";
import type { Section, SectionContext } from "../section.ts";

const loads = [
  { inFlight: 1, sizeBytes: 512 },
  { inFlight: 1, sizeBytes: 10 * 1024 },
  { inFlight: 1, sizeBytes: 100 * 1024 },
  { inFlight: 1, sizeBytes: 1024 * 1024 },
  { inFlight: 64, sizeBytes: 512 },
  { inFlight: 256, sizeBytes: 512 },
  { inFlight: 64, sizeBytes: 10 * 1024 },
  { inFlight: 256, sizeBytes: 10 * 1024 },
];

/** Turns of each with each load: a slow moment of the machine does not hit one of them alone. */
const rounds = 4;

interface Measured {
  readonly latenciesMs: number[];
  readonly perSecond: number[];
}

export const peersSection: Section = {
  name: "peers",
  async run(context: SectionContext): Promise<readonly Figure[]> {
    if (!(await hasGo())) {
      context.note("peers: skipped, since there is no Go to build hashicorp/raft with");
      return [];
    }
    const theirCluster = await HashicorpCluster.start(context.workDir);
    try {
      const ourCluster = await BenchCluster.start(context);
      try {
        return await compare(context, ourCluster, theirCluster);
      } finally {
        await ourCluster.stop();
      }
    } finally {
      await theirCluster.stop();
    }
  },
};

async function compare(
  { effort }: SectionContext,
  ourCluster: BenchCluster,
  theirCluster: HashicorpCluster,
): Promise<readonly Figure[]> {
  const leader = await ourCluster.settled();
  const ours = loads.map(nothingYet);
  const theirs = loads.map(nothingYet);
  const seconds = effort.seconds / rounds;
  // The first round only warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const [at, load] of loads.entries()) {
      const commitsMax = Number.POSITIVE_INFINITY;
      const our = await leader.load({ ...load, seconds, commitsMax });
      const their = await theirCluster.load({ ...load, seconds });
      if (round === 0) continue;
      add(ours[at], our);
      add(theirs[at], their);
    }
  }
  return loads.map(({ inFlight, sizeBytes }, at) => {
    const our = ours[at] ?? nothingYet();
    const their = theirs[at] ?? nothingYet();
    const reference = (samples: readonly number[]) => ({ name: HashicorpCluster.label, samples });
    const name = `${inFlight === 1 ? "one" : inFlight} in flight, ${sizeText(sizeBytes)}`;
    return inFlight === 1
      ? figure("peers", name, "ms", our.latenciesMs, reference(their.latenciesMs))
      : figure("peers", name, "per s", our.perSecond, reference(their.perSecond));
  });
}

function nothingYet(): Measured {
  return { latenciesMs: [], perSecond: [] };
}

function add(
  measured: Measured | undefined,
  {
    elapsedMs,
    latenciesMs,
  }: { readonly elapsedMs: number; readonly latenciesMs: readonly number[] },
): void {
  for (const latencyMs of latenciesMs) measured?.latenciesMs.push(latencyMs);
  measured?.perSecond.push((latenciesMs.length / elapsedMs) * 1000);
}
