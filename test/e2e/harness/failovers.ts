/** The leader goes, under load, again and again: how long the chain stood still, and how still it stands anyway. */

import { setTimeout as delay } from "node:timers/promises";
import type { LocalCluster } from "../../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../../src/devnet/local-node.ts";
import { producingLeader, untilAllFollow, untilGrown } from "./cluster.ts";
import { describeDistribution, median } from "./distribution.ts";
import { arrivals, longestPauses, type Period } from "./gaps.ts";

export interface Failovers {
  /** The longest pause between two blocks around each end of a leader. */
  readonly gapsMs: readonly number[];
  /** The longest pause in a calm moment before each: the block time, and what the machine adds to it. */
  readonly calmMs: readonly number[];
}

/** Calm before each failover, for a node that has just started to have warmed up. */
const calmMinMs = 1_000;

/**
 * Ends the leader `count` times with `end`; each time waits for the next leader and some blocks,
 * starts the node again and waits until it follows.
 */
export async function failOver(
  cluster: LocalCluster,
  count: number,
  end: (leader: LocalNode) => Promise<void>,
): Promise<Failovers> {
  const calm: Period[] = [];
  const disturbed: Period[] = [];
  for (let nth = 1; nth <= count; nth++) {
    const calmFromMs = Date.now();
    await delay(calmMinMs);
    const leader = await producingLeader(cluster);
    const fromMs = Date.now();
    await end(leader);
    const successor = await producingLeader(cluster, [leader]);
    await untilGrown(successor, 3);
    calm.push({ fromMs: calmFromMs, toMs: fromMs });
    disturbed.push({ fromMs, toMs: Date.now() });
    await leader.start();
    await untilAllFollow(cluster);
  }
  const blocks = arrivals(cluster.nodes);
  return { gapsMs: longestPauses(blocks, disturbed), calmMs: longestPauses(blocks, calm) };
}

/**
 * The median gap as it would be if the machine kept the block time in calm: one that is busy makes every
 * pause longer by about the same factor, a failover's too. Where nothing else runs the factor is small.
 */
export function scaledGapMs({ gapsMs, calmMs }: Failovers, blockTimeMs: number): number {
  return median(gapsMs) / Math.max(1, median(calmMs) / blockTimeMs);
}

export function describeFailovers(failovers: Failovers, blockTimeMs: number): string {
  const { gapsMs, calmMs } = failovers;
  const scaled = Math.round(scaledGapMs(failovers, blockTimeMs));
  const calm = describeDistribution(calmMs);
  return `gap ${describeDistribution(gapsMs)}; in calm ${calm} at ${blockTimeMs} ms blocks; scaled p50=${scaled} ms`;
}
