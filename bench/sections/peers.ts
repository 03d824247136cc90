/** The same work done by our peers, turn by turn on the same machine, near to each other and far away. */

import { catchUpContest } from "../contests/catch-up.ts";
import { commitsContest } from "../contests/commits.ts";
import { Contest, type Entrant, type MeasureContest, oneWayMsOf } from "../contests/contest.ts";
import { costContest } from "../contests/cost.ts";
import { gapsContest } from "../contests/gaps.ts";
import { median } from "../figure.ts";
import { tcpRoundTripMs } from "../floor.ts";
import { etcd } from "../peers/etcd.ts";
import { hashicorp } from "../peers/hashicorp.ts";
import { launchOurs } from "../peers/ours.ts";
import type { Section, SectionContext } from "../section.ts";

export const peerSections: readonly Section[] = [
  peerSection("peers-commits", commitsContest),
  peerSection("peers-gaps", gapsContest),
  peerSection("peers-catch-up", catchUpContest),
  peerSection("peers-cost", costContest),
];

function peerSection(name: string, measure: MeasureContest): Section {
  return {
    name,
    async run(context) {
      const entrants = await entrantsOf(context);
      if (entrants.length === 1) {
        context.note("there is nobody to compare with");
        return [];
      }
      for (const network of context.networks) {
        await noteFloor(context, oneWayMsOf(network));
        await measure(new Contest(context, network, entrants));
      }
      return [];
    },
  };
}

/** We first, and then whoever can be started here. */
async function entrantsOf({ workDir, execArgv, note }: SectionContext): Promise<Entrant[]> {
  const entrants: Entrant[] = [{ name: "ours", launch: launchOurs(execArgv) }];
  for (const { name, prepare } of [hashicorp, etcd]) {
    const prepared = await prepare(workDir);
    if (typeof prepared === "string") {
      note(`${name} is left out: ${prepared}`);
    } else {
      note(`${name} is ${prepared.label}`);
      entrants.push({ name, launch: prepared.launch });
    }
  }
  return entrants;
}

/** What no commit far away can be faster than. */
async function noteFloor({ effort, note }: SectionContext, oneWayMs: number): Promise<void> {
  if (oneWayMs === 0) return;
  const roundTripMs = median(
    await tcpRoundTripMs(512, Math.min(effort.floorSamples, 50), oneWayMs),
  );
  note(`slow: ${oneWayMs} ms one way; a round trip takes ${roundTripMs.toFixed(1)} ms`);
}
