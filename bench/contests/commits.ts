/** How long one commit takes, a block's with all that it needs, and how many are made in a second. */

import { type Aims, aims } from "../aims.ts";
import { sizeText } from "../figure.ts";
import type { Load } from "../member/protocol.ts";
import type { MeasureContest, Row } from "./contest.ts";

interface Task extends Row {
  readonly load: Pick<Load, "sizeBytes" | "inFlight" | "asBlocks">;
}

const kilobyte = 1024;

const tasks: readonly Task[] = [
  oneInFlight(512, aims.smallCommit),
  oneInFlight(10 * kilobyte, aims.largerCommit),
  oneInFlight(100 * kilobyte, aims.largerCommit),
  oneInFlight(kilobyte * kilobyte, aims.largerCommit),
  {
    work: "a block the ev-node way, 512 B",
    unit: "ms",
    aims: aims.block,
    load: { sizeBytes: 512, inFlight: 1, asBlocks: true },
  },
  manyInFlight(64, 512, aims.throughput),
  manyInFlight(256, 512, aims.smallThroughput256),
  manyInFlight(64, 10 * kilobyte, aims.throughput),
  manyInFlight(256, 10 * kilobyte, aims.throughput),
];

/** Turns of each with each load: a slow moment of the machine does not hit one of them alone. */
const rounds = 4;

export const commitsContest: MeasureContest = (contest) =>
  contest.withClusters({}, async (clusters) => {
    const leaders = await Promise.all(clusters.map((cluster) => cluster.settled()));
    const samples = tasks.map(() => leaders.map((): number[] => []));
    const seconds = contest.effort.seconds / rounds;
    // The first round only warms up.
    for (let round = 0; round <= rounds; round++) {
      for (const [at, { load, unit }] of tasks.entries()) {
        for (const [of, leader] of leaders.entries()) {
          const limits = { seconds, commitsMax: Number.POSITIVE_INFINITY };
          const { elapsedMs, latenciesMs } = await leader.load({ ...load, ...limits });
          if (round === 0) continue;
          const found = unit === "ms" ? latenciesMs : [(latenciesMs.length / elapsedMs) * 1000];
          for (const one of found) samples[at]?.[of]?.push(one);
        }
      }
    }
    for (const [at, task] of tasks.entries()) contest.report(task, samples[at] ?? []);
  });

function oneInFlight(sizeBytes: number, aims: Aims): Task {
  const work = `one in flight, ${sizeText(sizeBytes)}`;
  return { work, unit: "ms", aims, load: { sizeBytes, inFlight: 1 } };
}

function manyInFlight(inFlight: number, sizeBytes: number, aims: Aims): Task {
  const work = `${inFlight} in flight, ${sizeText(sizeBytes)}`;
  return { work, unit: "per s", aims, load: { sizeBytes, inFlight } };
}
