/** How fast a member takes from the leader's log what it has missed. */

import { aims } from "../aims.ts";
import { catchUpPerSecond } from "../log-catch-up.ts";
import type { MeasureContest } from "./contest.ts";

export const catchUpContest: MeasureContest = async (contest) => {
  const { catchUpEntries: entries } = contest.effort;
  const samples: number[][] = [];
  for (const entrant of contest.entrants) {
    const rate = await contest.withCluster(entrant, {}, (cluster) =>
      catchUpPerSecond(cluster, entries),
    );
    samples.push([rate]);
  }
  const work = `${entries.toLocaleString("en")} x 1 KB from the log`;
  contest.report({ work, unit: "per s", aims: aims.catchUp }, samples);
};
