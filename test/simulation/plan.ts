/**
 * What one seed does. Swarm testing: each seed has its own cluster, timeouts and faults, some of them
 * off and some of them rough, since faults that are always all on hide one another's effects.
 */

import { slowestLinkBytesPerMs } from "../../src/base/limits.ts";
import { majorityOf } from "../../src/raft/quorum.ts";
import { rpcTimeoutMs } from "../../src/transport/deadlines.ts";
import { stateBytes } from "./applied-state.ts";
import { Dice } from "./dice.ts";
import { payloadMaxBytes } from "./payloads.ts";

export interface Range {
  readonly low: number;
  readonly high: number;
}

export interface Timeouts {
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly leaseMs: number;
  readonly sendMs: number;
}

export interface NetworkConditions {
  /** One way, without the time that the bytes take. */
  readonly latencyMs: Range;
  readonly bytesPerMs: number;
  /** The share of messages that take much longer than that. */
  readonly delayRate: number;
  readonly delayMs: Range;
  /** The share of messages that do not arrive; on an ordered connection, each ends it. */
  readonly lossRate: number;
  /** The share of requests that arrive twice; on unordered networks only. */
  readonly duplicateRate: number;
  /** Of the requests on a connection that ends, the share that arrives all the same, later. */
  readonly lateRate: number;
  /** How often those that were connected to a dead process find its port refusing. */
  readonly goneRate: number;
}

export interface DiskConditions {
  readonly writeMs: Range;
  readonly stallRate: number;
  readonly stallMs: Range;
}

export interface HostConditions {
  /** Execution of one block. */
  readonly applyMs: Range;
  /** From executing a block to knowing it durably. */
  readonly flushMs: Range;
}

export interface ClientConditions {
  readonly proposeEveryMs: number;
  readonly batchMax: number;
  /** Uncommitted entries at which clients wait; a sequencer keeps to 1. */
  readonly backlogMax: number;
  readonly payloadBytes: Range;
  /** The share of proposals that go to any node, in any term. */
  readonly astrayRate: number;
  /** The share of proposals that go to any node that thinks it leads, though another may by now. */
  readonly anyLeaderRate: number;
  readonly readEveryMs: number;
}

export interface Conditions {
  readonly network: NetworkConditions;
  readonly disk: DiskConditions;
  readonly host: HostConditions;
  readonly client: ClientConditions;
}

/** Mean times between two faults of a kind in the whole cluster; Infinity for never. */
export interface FaultPlan {
  readonly crashEveryMs: number;
  readonly downMs: Range;
  /** Crashes of the host instead of the process: no socket is closed, nobody refuses. */
  readonly powerLossShare: number;
  /** Crashes of several nodes at once. */
  readonly togetherShare: number;
  /** Crashes between two calls that one step makes. */
  readonly midStepShare: number;
  /** Of the new leaders, the share that dies soon: before, while or just after it makes itself known. */
  readonly shortReignShare: number;
  readonly diskFailureEveryMs: number;
  readonly pauseEveryMs: number;
  readonly pauseMs: Range;
  readonly partitionEveryMs: number;
  readonly partitionMs: Range;
  readonly slowDiskEveryMs: number;
  readonly resetEveryMs: number;
  readonly falseGoneEveryMs: number;
  readonly transferEveryMs: number;
  readonly readinessEveryMs: number;
  /** Wiped disks: of a minority at a time, counting those that have not regained what they lost (P6). */
  readonly wipeEveryMs: number;
  /** Full disks: no write ends well, whatever process it is of, until there is room again. */
  readonly fullDiskEveryMs: number;
  readonly fullDiskMs: Range;
  /** Bits that flip in what is on a disk: of a minority at a time, together with the wiped. */
  readonly bitFlipEveryMs: number;
}

export interface Plan {
  readonly seed: number;
  readonly clusterSize: number;
  readonly timeouts: Timeouts;
  /** Each: faults for `chaosMs`, then a healed majority that must make progress. */
  readonly rounds: number;
  readonly chaosMs: number;
  /** Connections deliver in order, as TCP does; else each message finds its own way. */
  readonly isOrdered: boolean;
  /** Clocks run fast or slow by up to this share. */
  readonly clockDrift: number;
  /** Entries between two snapshots of a node; Infinity for none. */
  readonly snapshotEvery: number;
  readonly trailingEntries: number;
  /** What a snapshot takes on the wire and on disk. */
  readonly snapshotBytes: number;
  /** All disks are empty at first, as in a new cluster. */
  readonly beginsEmpty: boolean;
  /** How long a commit waits for an entry to tell of it. Production's is 2. */
  readonly commitNoticeMs: number;
  readonly chaos: Conditions;
  readonly faults: FaultPlan;
}

export function planOf(seed: number): Plan {
  const dice = new Dice(seed).fork("plan");
  const timeouts = timeoutsOf(dice);
  const { heartbeatMs } = timeouts;
  const isOrdered = dice.chance(0.7);
  const notices = dice.fork("commit notices");
  return {
    seed,
    clusterSize: dice.pick([1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 5, 7]),
    timeouts,
    rounds: dice.integer(1, 2),
    chaosMs: heartbeatMs * dice.between(12, 40),
    isOrdered,
    clockDrift: dice.chance(0.5) ? 0 : dice.magnitude(0.001, 0.2),
    snapshotEvery: dice.pick([Number.POSITIVE_INFINITY, dice.integer(1, 10), dice.integer(5, 100)]),
    trailingEntries: dice.pick([0, dice.integer(0, 10), dice.integer(0, 50)]),
    snapshotBytes: dice.chance(0.5) ? stateBytes : Math.floor(dice.magnitude(10_000, 2_000_000)),
    beginsEmpty: dice.chance(0.2),
    commitNoticeMs: notices.pick([0, 2, 2, heartbeatMs * 1.2]),
    chaos: {
      network: networkOf(dice, heartbeatMs, isOrdered),
      disk: diskOf(dice, heartbeatMs),
      host: hostOf(dice, heartbeatMs),
      client: clientOf(dice, heartbeatMs),
    },
    faults: faultsOf(dice, heartbeatMs),
  };
}

/** Of whole nodes: blocks come from sequencers, which say themselves when they are fit to lead. */
export function wholePlanOf(seed: number): Plan {
  const plan = planOf(seed);
  const { chaos, faults, clusterSize } = plan;
  return {
    ...plan,
    // Blocks come all the time: with a longer notice nobody would ever have heard of the last one.
    commitNoticeMs: Math.min(plan.commitNoticeMs, 2),
    chaos: { ...chaos, client: { ...chaos.client, proposeEveryMs: never } },
    faults: { ...faults, readinessEveryMs: never },
    // One member or two have no minority that could be lost.
    clusterSize: majorityOf(clusterSize) === clusterSize ? 3 : clusterSize,
  };
}

function timeoutsOf(dice: Dice): Timeouts {
  const heartbeatMs = dice.pick([100, 200, 350, 350, 500, 1000]);
  const electionMs = heartbeatMs * dice.pick([1, 1, 2, 1000 / 350]);
  const leaseMs = heartbeatMs * dice.pick([0.5, 0.5, 0.5, 0.8, 1]);
  return { heartbeatMs, electionMs, leaseMs, sendMs: heartbeatMs * dice.pick([0.5, 200 / 350, 1]) };
}

function networkOf(dice: Dice, heartbeatMs: number, isOrdered: boolean): NetworkConditions {
  const latencyMs = heartbeatMs * dice.magnitude(0.001, 0.12);
  return {
    latencyMs: { low: latencyMs * dice.between(0.1, 1), high: latencyMs },
    bytesPerMs: dice.magnitude(20_000, 1_000_000),
    delayRate: dice.chance(0.5) ? 0 : dice.magnitude(0.001, 0.1),
    delayMs: { low: latencyMs, high: heartbeatMs * dice.magnitude(0.1, 3) },
    lossRate: dice.chance(0.4) ? 0 : dice.magnitude(0.0005, isOrdered ? 0.01 : 0.1),
    duplicateRate: isOrdered || dice.chance(0.5) ? 0 : dice.magnitude(0.001, 0.1),
    lateRate: dice.pick([0, 0.5, 1]),
    goneRate: dice.pick([0, 0.5, 1]),
  };
}

function diskOf(dice: Dice, heartbeatMs: number): DiskConditions {
  const writeMs = heartbeatMs * dice.magnitude(0.0005, 0.1);
  return {
    writeMs: { low: writeMs * 0.3, high: writeMs },
    stallRate: dice.chance(0.6) ? 0 : dice.magnitude(0.001, 0.05),
    stallMs: { low: writeMs, high: heartbeatMs * 3 },
  };
}

function hostOf(dice: Dice, heartbeatMs: number): HostConditions {
  const isSlow = dice.chance(0.3);
  const applyMs = heartbeatMs * (isSlow ? dice.magnitude(0.05, 1) : dice.magnitude(0.0005, 0.02));
  return {
    applyMs: { low: 0, high: applyMs },
    flushMs: { low: 0, high: heartbeatMs * dice.magnitude(0.01, 5) },
  };
}

function clientOf(dice: Dice, heartbeatMs: number): ClientConditions {
  const isHuge = dice.chance(0.15);
  const isIdle = dice.chance(0.1);
  return {
    proposeEveryMs: heartbeatMs * (isIdle ? 10 : dice.magnitude(isHuge ? 0.2 : 0.05, 1)),
    batchMax: isHuge ? 2 : dice.pick([1, 1, 3, 10]),
    backlogMax: dice.pick([1, 8, isHuge ? 8 : 1000]),
    payloadBytes: isHuge
      ? { low: 200_000, high: payloadMaxBytes }
      : { low: 1, high: dice.magnitude(10, 100_000) },
    astrayRate: dice.pick([0, 0.05, 0.3]),
    anyLeaderRate: dice.pick([0, 0.5]),
    readEveryMs: dice.chance(0.3)
      ? Number.POSITIVE_INFINITY
      : heartbeatMs * dice.magnitude(0.05, 1),
  };
}

function faultsOf(dice: Dice, heartbeatMs: number): FaultPlan {
  /** Off, or some time between often and seldom. */
  const every = (probability: number) =>
    dice.chance(probability) ? heartbeatMs * dice.magnitude(1.5, 20) : Number.POSITIVE_INFINITY;
  return {
    crashEveryMs: every(0.6),
    downMs: { low: 0, high: heartbeatMs * dice.magnitude(0.1, 10) },
    powerLossShare: dice.pick([0, 0.5, 1]),
    togetherShare: dice.pick([0, 0.2]),
    midStepShare: dice.pick([0, 0.5, 1]),
    shortReignShare: dice.pick([0, 0, 0.5, 0.9]),
    diskFailureEveryMs: every(0.15),
    pauseEveryMs: every(0.4),
    pauseMs: { low: 0, high: heartbeatMs * dice.magnitude(0.2, 6) },
    partitionEveryMs: every(0.5),
    partitionMs: { low: 0, high: heartbeatMs * dice.magnitude(0.2, 12) },
    slowDiskEveryMs: every(0.25),
    resetEveryMs: every(0.4),
    falseGoneEveryMs: every(0.3),
    transferEveryMs: every(0.4),
    readinessEveryMs: every(0.5),
    wipeEveryMs: every(0.4),
    fullDiskEveryMs: every(0.15),
    fullDiskMs: { low: 0, high: heartbeatMs * dice.magnitude(0.2, 12) },
    bitFlipEveryMs: every(0.25),
  };
}

/** As in production (`src/consensus/consensus-thread.ts`), without its three minutes at least. */
export function replicationStallMs({ timeouts, chaos }: Plan): number {
  const { payloadBytes } = chaos.client;
  return 3 * rpcTimeoutMs("appendEntriesRequest", payloadBytes.high, timeouts.sendMs);
}

/** When a leader that replicates nothing has stepped down, at the latest. */
export function stallSeenMs(plan: Plan): number {
  const transferMs = plan.chaos.client.payloadBytes.high / slowestLinkBytesPerMs;
  return replicationStallMs(plan) + (plan.clusterSize - 1) * transferMs;
}

/** Whoever does nothing at all does nothing in the calm. */
const never = Number.POSITIVE_INFINITY;

/** After the faults: a network, disks and hosts as they should be. */
export function calmOf({ chaos, timeouts: { heartbeatMs } }: Plan): Conditions {
  const latencyMs = Math.min(chaos.network.latencyMs.high, heartbeatMs / 20);
  return {
    network: {
      latencyMs: { low: latencyMs / 2, high: latencyMs },
      bytesPerMs: 5_000_000,
      delayRate: 0,
      delayMs: { low: 0, high: 0 },
      lossRate: 0,
      duplicateRate: 0,
      lateRate: 0,
      goneRate: 0,
    },
    disk: {
      writeMs: { low: 0.1, high: heartbeatMs / 50 },
      stallRate: 0,
      stallMs: { low: 0, high: 0 },
    },
    host: { applyMs: { low: 0, high: 1 }, flushMs: { low: 0, high: 5 } },
    client: {
      proposeEveryMs: chaos.client.proposeEveryMs === never ? never : heartbeatMs / 2,
      batchMax: 1,
      backlogMax: 8,
      payloadBytes: { low: 1, high: 100 },
      astrayRate: 0,
      anyLeaderRate: 0,
      readEveryMs: heartbeatMs,
    },
  };
}
