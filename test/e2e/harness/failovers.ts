/** The leader goes, under load, again and again: how long the chain stood still, and how still it stands anyway. */

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

/** Blocks of calm before each failover. */
const calmBlocks = 15;

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
    await untilGrown(await producingLeader(cluster), calmBlocks);
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
 * The median gap without what the machine costs a cluster that nothing happens to: on a machine that
 * is busy with other work every pause is longer, and that is not the failover. Where nothing else
 * runs this takes off a few milliseconds.
 */
export function netGapMs({ gapsMs, calmMs }: Failovers, blockTimeMs: number): number {
  return median(gapsMs) - Math.max(0, median(calmMs) - blockTimeMs);
}

export function describeFailovers(failovers: Failovers, blockTimeMs: number): string {
  const { gapsMs, calmMs } = failovers;
  const net = Math.round(netGapMs(failovers, blockTimeMs));
  const calm = describeDistribution(calmMs);
  return `gap ${describeDistribution(gapsMs)}; in calm ${calm} at ${blockTimeMs} ms blocks; net p50=${net} ms`;
}
