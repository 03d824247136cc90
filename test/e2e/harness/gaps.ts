/**
 * How long the chain stood still, from what operators have: the times of the `block produced` and
 * `block applied` lines in the logs.
 */

import type { LocalNode } from "../../../src/devnet/local-node.ts";
import { logLines } from "./cluster.ts";

/** Unix times. */
export interface Period {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Arrival {
  readonly height: number;
  /** When the first node had it. */
  readonly atMs: number;
}

const blockLine =
  /^(\S+Z) INF block (?:produced|applied from raft log) height=(\d+) hash=0x[0-9a-f]{64}$/;

export function arrivals(nodes: readonly LocalNode[]): Arrival[] {
  const first = new Map<number, number>();
  for (const line of nodes.flatMap(logLines)) {
    const [, time = "", heightText = ""] = blockLine.exec(line) ?? [];
    if (time === "") continue;
    const height = Number(heightText);
    first.set(height, Math.min(Date.parse(time), first.get(height) ?? Number.POSITIVE_INFINITY));
  }
  return [...first].map(([height, atMs]) => ({ height, atMs })).sort((a, b) => a.height - b.height);
}

const snapshotLine = /^(\S+Z) INF raft: snapshot taken .* durationMs=(\d+) /;

/** When `node` took its snapshots, from the question for one until the log was shortened behind it. */
export function snapshotPeriods(node: LocalNode): Period[] {
  return logLines(node).flatMap((line) => {
    const [, time = "", durationMs = ""] = snapshotLine.exec(line) ?? [];
    if (time === "") return [];
    const toMs = Date.parse(time);
    return [{ fromMs: toMs - Number(durationMs), toMs }];
  });
}

/** The time just before each, as long as it. */
export function before(periods: readonly Period[]): Period[] {
  return periods.map(({ fromMs, toMs }) => ({ fromMs: 2 * fromMs - toMs, toMs: fromMs }));
}

/** Between successive blocks of which the second came in the period. */
export function pausesIn(blocks: readonly Arrival[], { fromMs, toMs }: Period): number[] {
  return blocks.flatMap(({ atMs }, at) => {
    const last = blocks[at - 1];
    return last === undefined || atMs < fromMs || atMs > toMs ? [] : [atMs - last.atMs];
  });
}

/** For each period the longest pause between two successive blocks of which the second came in it. */
export function longestPauses(blocks: readonly Arrival[], periods: readonly Period[]): number[] {
  return periods.map(({ fromMs, toMs }) => {
    let longestMs = 0;
    for (const [at, { atMs }] of blocks.entries()) {
      const before = blocks[at - 1];
      if (before === undefined || atMs < fromMs || atMs > toMs) continue;
      longestMs = Math.max(longestMs, atMs - before.atMs);
    }
    return longestMs;
  });
}
