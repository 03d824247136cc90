/** Cycles: the cluster is whole, a fault begins, what it does is measured, it ends, the cluster is whole again. */

import { sleep } from "../../src/base/task-group.ts";
import type { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { type ClusterView, isWhole } from "../../src/devnet/watch.ts";
import type { Dice } from "../simulation/dice.ts";
import type { Disk } from "./disk.ts";
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
  /** From the fault to "entering leader state" of another node; null where nobody needed to be elected. */
  readonly electionMs: number | null;
  /** A leader was deposed, and no node said within the limit that it leads. */
  readonly isUndetected: boolean;
  /** The longest pause between two blocks, from the fault until the cluster is whole again. */
  readonly gapMs: number;
}

export interface CycleTools {
  readonly cluster: LocalCluster;
  readonly network: Network;
  readonly logs: LogReader;
  readonly view: () => ClusterView;
  readonly dice: Dice;
  readonly longMs: number;
  readonly start: (node: LocalNode) => Promise<void>;
  readonly diskOf: (node: LocalNode) => Disk;
  readonly onViolation: (text: string) => void;
}

const blocksBehindMax = 3;
const wholeLimitMs = 120_000;
const electionLimitMs = 60_000;
const pollMs = 50;
const blocksAfter = 3;

export async function runCycle(fault: FaultName, tools: CycleTools): Promise<CycleResult> {
  const { cluster, network, logs, view, dice, longMs } = tools;
  const { hitsLeader, deposes, begin, end } = faults[fault];
  const leader = await leaderOfWhole(tools);
  if (leader === null) return skipped(fault);
  // At any moment of a block's time.
  await sleep(dice.between(0, 200));
  const victim = hitsLeader || dice.chance(0.5) ? leader : dice.pick(cluster.nodes);
  const others = cluster.nodes.filter((node) => node !== victim);
  const { start, diskOf } = tools;
  const scene = { victim, others, network, logs, diskOf, dice, longMs, start };
  const mustElect = deposes && victim === leader;
  logs.advance();
  // On a busy machine another may have been elected since: to hit this one deposes nobody.
  if (mustElect && logs.elected.at(-1)?.nodeId !== victim.id) return skipped(fault);
  const heightBefore = logs.height;
  const atMs = Date.now();
  const what = await begin(scene);
  let elected: number | null = null;
  if (mustElect) {
    await until(() => {
      logs.advance();
      elected = electionMs(logs, victim, atMs);
      return elected !== null;
    }, electionLimitMs);
  }
  await end(scene);
  const wholeAgain = await until(() => {
    logs.advance();
    return isWhole(view(), blocksBehindMax) && logs.height >= heightBefore + blocksAfter;
  }, wholeLimitMs);
  if (!wholeAgain) tools.onViolation(`not whole within ${wholeLimitMs / 1000} s after ${what}`);
  logs.advance();
  return {
    fault,
    victimId: victim.id,
    wasLeader: victim === leader,
    what,
    isSkipped: false,
    electionMs: elected ?? electionMs(logs, victim, atMs),
    isUndetected: mustElect && elected === null,
    gapMs: longestPauseMs(logs, heightBefore, atMs),
  };
}

/** Once all nodes are at the head and fit to lead; null if that is not in time. */
async function leaderOfWhole({ cluster, view }: CycleTools): Promise<LocalNode | null> {
  const deadlineMs = performance.now() + wholeLimitMs;
  do {
    const isReady =
      (await until(() => isWhole(view(), blocksBehindMax), wholeLimitMs)) &&
      (await untilAllReady(cluster.nodes, wholeLimitMs));
    // Another may have been elected meanwhile.
    const leader = cluster.nodes.find(({ id }) => id === view().leaderId);
    if (isReady && leader !== undefined) return leader;
  } while (performance.now() < deadlineMs);
  return null;
}

function electionMs(logs: LogReader, victim: LocalNode, sinceMs: number): number | null {
  const first = logs.elected.find(({ nodeId, atMs }) => atMs >= sinceMs && nodeId !== victim.id);
  return first === undefined ? null : first.atMs - sinceMs;
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
    electionMs: null,
    isUndetected: false,
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

async function until(isTrue: () => boolean, limitMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + limitMs;
  while (!isTrue()) {
    if (performance.now() > deadlineMs) return false;
    await sleep(pollMs);
  }
  return true;
}
