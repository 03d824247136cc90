/** The leader goes, under load, again and again: what happens each time, and how long the chain stood still. */

import type { LocalCluster } from "../../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../../src/devnet/local-node.ts";
import { producingLeader, untilAllFollow, untilGrown } from "./cluster.ts";
import { arrivals, type Disturbance, longestPauses } from "./gaps.ts";

/**
 * Ends the leader `count` times with `end`; each time waits for the next leader and some blocks,
 * starts the node again and waits until it follows. Returns the gaps in milliseconds.
 */
export async function failOver(
  cluster: LocalCluster,
  count: number,
  end: (leader: LocalNode) => Promise<void>,
): Promise<number[]> {
  const disturbances: Disturbance[] = [];
  for (let nth = 1; nth <= count; nth++) {
    const leader = await producingLeader(cluster);
    const fromMs = Date.now();
    await end(leader);
    const successor = await producingLeader(cluster, [leader]);
    await untilGrown(successor, 3);
    disturbances.push({ fromMs, toMs: Date.now() });
    await leader.start();
    await untilAllFollow(cluster);
  }
  return longestPauses(arrivals(cluster.nodes), disturbances);
}
