/** Cycles: the cluster is whole, a fault begins, what it does is measured, it ends, the cluster is whole again. */

import { sleep } from "../../src/base/task-group.ts";
import type { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { type ClusterView, isWhole } from "../../src/devnet/watch.ts";
import type { Dice } from "../simulation/dice.ts";
import type { Disk } from "./disk.ts";
import { electionMs, isUndetected, lossesSince, type Reign, successorMs } from "./elections.ts";
import { type FaultName, faults } from "./faults.ts";
import type { LogReader } from "./log-reader.ts";
import type { Network } from "./network.ts";

export interface CycleResult {
  readonly fault: FaultName;
  readonly victimId: string;
  readonly wasLeader: boolean;
  readonly what: string;
  /** The cluster was not whole in time for it: nothing was done. */
  readonly isSkipped: boolean;
  /** How often a leader was lost: taken away, or deposed as it says itself. */
  readonly losses: number;
  /** Of those: nobody committed a block as the next leader within the limit. */
  readonly undetected: number;
  /**
   * To the first "entering leader state": from the fault where it hit the leader, or else from the loss; null where
   * nobody was elected.
   */
  readonly electionMs: number | null;
  /** The longest pause between two blocks, from the fault until the cluster is whole again. */
  readonly gapMs: number;
}

export interface CycleTools {
  readonly cluster: LocalCluster;
  readonly network: Network;
  readonly logs: LogReader;
  readonly view: () => ClusterView;
  readonly dice: Dice;
  /** Transactions of clients, so far. */
  readonly acknowledgedCount: () => number;
  readonly longMs: number;
  readonly start: (node: LocalNode) => Promise<void>;
  readonly diskOf: (node: LocalNode) => Disk;
  readonly onViolation: (text: string) => void;
}

const blocksBehindMax = 3;
const wholeLimitMs = 120_000;
/** The HA reference's own elections took up to 55 s, but for those that it calls undetected. */
const electionLimitMs = 30_000;
/** Of the cycles. */
const skippedShareMax = 0.05;
const pollMs = 50;
const blocksAfter = 3;
/** Blocks alone may be empty ones. */
const acknowledgedAfter = 3;

export async function runCycle(fault: FaultName, tools: CycleTools): Promise<CycleResult> {
  const { cluster, network, logs, view, dice, longMs, start, diskOf } = tools;
  const { hitsLeader, deposes, begin, end } = faults[fault];
  const reign = await reignOverWhole(tools);
  if (reign === null) return skipped(fault);
  const leader = cluster.node(reign.nodeId);
  const victim = hitsLeader || dice.chance(0.5) ? leader : dice.pick(cluster.nodes);
  const others = cluster.nodes.filter((node) => node !== victim);
  const scene = { victim, others, network, logs, diskOf, dice, longMs, start };
  const heightBefore = logs.height;
  const atMs = Date.now();
  const lossesNow = () =>
    lossesSince(logs.reigns, atMs, deposes && victim === leader ? reign : null);
  const areAllFollowed = () => lossesNow().every((loss) => successorMs(loss, logs.reigns) !== null);
  const what = await begin(scene);
  // A leader that cannot lead is followed by another while the fault lasts.
  if (deposes) await until(tools, areAllFollowed, electionLimitMs);
  await end(scene);
  const acknowledgedBefore = tools.acknowledgedCount();
  const isWholeAgain = () =>
    isWhole(view(), blocksBehindMax) &&
    logs.height >= heightBefore + blocksAfter &&
    tools.acknowledgedCount() >= acknowledgedBefore + acknowledgedAfter;
  if (!(await until(tools, () => isWholeAgain() && areAllFollowed(), wholeLimitMs))) {
    tools.onViolation(`not whole within ${wholeLimitMs / 1000} s after ${what}`);
  }
  const losses = lossesNow();
  const [first = null] = losses;
  // A leader that is hit may take its time to say so: that counts.
  const counted = first !== null && victim === leader ? { ...first, atMs } : first;
  return {
    fault,
    victimId: victim.id,
    wasLeader: victim === leader,
    what,
    isSkipped: false,
    losses: losses.length,
    undetected: losses.filter((loss) => isUndetected(loss, logs.reigns, electionLimitMs)).length,
    electionMs: counted === null ? null : electionMs(counted, logs.reigns),
    gapMs: longestPauseMs(logs, heightBefore, atMs),
  };
}

/** What no run of cycles may show. */
export function violationsOf(cycles: readonly CycleResult[]): readonly string[] {
  const undetected = cycles.flatMap(({ fault, victimId, what, undetected }) =>
    undetected === 0
      ? []
      : `no new leader with a block within ${electionLimitMs / 1000} s: ${fault} of ${victimId}, ${what}`,
  );
  const count = cycles.filter(({ isSkipped }) => isSkipped).length;
  return count <= skippedShareMax * cycles.length
    ? undetected
    : [...undetected, `${count} of ${cycles.length} cycles were skipped`];
}

/** The leader's, once all nodes are at the head and fit to lead; null if that is not in time. */
async function reignOverWhole(tools: CycleTools): Promise<Reign | null> {
  const { cluster, logs, view, dice } = tools;
  const deadlineMs = performance.now() + wholeLimitMs;
  do {
    const isReady =
      (await until(tools, () => isWhole(view(), blocksBehindMax), wholeLimitMs)) &&
      (await untilAllReady(cluster.nodes, wholeLimitMs));
    // At any moment of a block's time.
    await sleep(dice.between(0, 200));
    logs.advance();
    const last = logs.reigns.at(-1);
    // On a busy machine another may have been elected since, and not be known to all yet.
    if (isReady && last?.endedMs === null && last.nodeId === view().leaderId) return last;
  } while (performance.now() < deadlineMs);
  return null;
}

/** Between blocks of which the second came after the fault. */
function longestPauseMs(logs: LogReader, fromHeight: number, faultAtMs: number): number {
  let longestMs = 0;
  const blocks = logs.blocksFrom(fromHeight);
  for (const [at, { atMs }] of blocks.entries()) {
    const before = blocks[at - 1];
    if (before !== undefined && atMs >= faultAtMs) {
      longestMs = Math.max(longestMs, atMs - before.atMs);
    }
  }
  return longestMs;
}

function skipped(fault: FaultName): CycleResult {
  return {
    fault,
    victimId: "",
    wasLeader: false,
    what: "the cluster was not whole in time",
    isSkipped: true,
    losses: 0,
    undetected: 0,
    electionMs: null,
    gapMs: 0,
  };
}

/** Whose disk was slow a moment ago would not take over. */
async function untilAllReady(nodes: readonly LocalNode[], limitMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    const answers = await Promise.all(nodes.map(({ rpcUrl }) => isReadyAt(rpcUrl)));
    if (!answers.includes(false)) return true;
    if (performance.now() > deadlineMs) return false;
    await sleep(pollMs);
  }
}

async function isReadyAt(rpcUrl: string): Promise<boolean> {
  try {
    return (await fetch(`${rpcUrl}/health/ready`)).ok;
  } catch {
    // It has not answered yet: not ready.
    return false;
  }
}

/** What the logs say is taken in before each look. */
async function until(
  { logs }: CycleTools,
  isTrue: () => boolean,
  limitMs: number,
): Promise<boolean> {
  const deadlineMs = performance.now() + limitMs;
  for (logs.advance(); !isTrue(); logs.advance()) {
    if (performance.now() > deadlineMs) return false;
    await sleep(pollMs);
  }
  return true;
}
