/**
 * Links that break in one direction: every pattern of three servers, whoever is ready and whoever has the
 * longer log. Where one server and another reach each other, and its log is up to date for both, somebody
 * has to lead, and to go on doing so: none of the others' messages may keep them from it.
 */

import { describe, expect, it } from "vitest";
import { LabCluster } from "./lab/cluster.ts";
import { obey } from "./lab/commands.ts";

const ids = ["1", "2", "3"];
const links = ids.flatMap((from) => ids.filter((to) => to !== from).map((to) => `${from}->${to}`));

interface Pattern {
  readonly cuts: readonly string[];
  /** By how many entries each log is longer than the shortest. */
  readonly aheadBy: readonly number[];
  readonly ready: readonly string[];
}

/** The subset of `all` that the bits of `mask` name. */
const subset = (all: readonly string[], mask: number) => all.filter((_, at) => mask & (1 << at));

const aheads = [0, 1, 2, 3, 4, 5, 6].map((mask) => ids.map((_, at) => (mask >> at) & 1));

function canLead({ cuts, aheadBy }: Pattern): boolean {
  const areJoined = (a: string, b: string) =>
    !cuts.includes(`${a}->${b}`) && !cuts.includes(`${b}->${a}`);
  const ahead = (id: string) => aheadBy[ids.indexOf(id)] ?? 0;
  return ids.some((candidate) =>
    ids.some(
      (other) =>
        other !== candidate && areJoined(candidate, other) && ahead(candidate) >= ahead(other),
    ),
  );
}

function clusterOf({ cuts, aheadBy, ready }: Pattern): LabCluster {
  const lab = new LabCluster();
  obey(lab, `cluster ${ids.join(" ")}`);
  for (const [at, id] of ids.entries()) {
    obey(lab, `server ${id} log=1,2x${2 + (aheadBy[at] ?? 0)}`);
    obey(lab, `ready ${id} ${ready.includes(id) ? "yes" : "no"}`);
  }
  for (const link of cuts) lab.cuts.add(link);
  return lab;
}

/** Who leads with a lease, by which blocks are built. */
const leadersOf = (lab: LabCluster) =>
  ids.filter((id) => (lab.server(id).core.status.leaseLeftMs ?? 0) > 0);

/** Runs the cluster until one leads, and a while longer; returns what is wrong, or null. */
function problemOf(pattern: Pattern): string | null {
  const lab = clusterOf(pattern);
  // Four election timeouts in which the ready stand back (P5), and some elections.
  const limitMs = 2_000;
  while (lab.nowMs < limitMs && leadersOf(lab).length === 0) obey(lab, "run 10");
  if (lab.nowMs >= limitMs) return "nobody leads";
  obey(lab, `run ${limitMs - lab.nowMs}`);
  const leaders = new Set<string>();
  let leaderlessMs = 0;
  for (let elapsedMs = 0; elapsedMs < 500; elapsedMs += 10) {
    obey(lab, "run 10");
    const now = leadersOf(lab);
    if (now.length === 0) leaderlessMs += 10;
    for (const id of now) leaders.add(id);
  }
  if (leaders.size === 1 && leaderlessMs === 0) return null;
  return `leaderless for ${leaderlessMs} of 500 ms, led by ${[...leaders].join(" and ")}`;
}

describe("links that are cut in one direction", () => {
  it.each(Array.from({ length: 8 }, (_, mask) => ({ ready: subset(ids, mask) })))(
    "ready: $ready",
    ({ ready }) => {
      const problems: string[] = [];
      let demanded = 0;
      for (let mask = 0; mask < 2 ** links.length; mask++) {
        for (const aheadBy of aheads) {
          const pattern = { cuts: subset(links, mask), aheadBy, ready };
          if (!canLead(pattern)) continue;
          demanded++;
          const problem = problemOf(pattern);
          if (problem === null) continue;
          problems.push(`cut ${pattern.cuts.join(" ")}, ahead by ${aheadBy.join(" ")}: ${problem}`);
        }
      }
      expect(problems).toEqual([]);
      expect(demanded).toBe(259);
    },
  );
});
