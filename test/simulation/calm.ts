/**
 * Liveness: once a majority is up and connected, and nothing new breaks, it must have a leader, make
 * progress and agree, within a bounded time, whatever the others do. If any of it is ready, a ready one
 * must lead, and none whose disk is slow or has stalled (P5).
 */

import { majorityOf } from "../../src/raft/quorum.ts";
import { wellAfterMs } from "../../src/storage/disk-watch.ts";
import { rpcTimeoutMs } from "../../src/transport/deadlines.ts";
import type { Ledger } from "./checkers/ledger.ts";
import type { Proposals } from "./checkers/proposals.ts";
import type { Reads } from "./checkers/reads.ts";
import type { Clients } from "./clients.ts";
import type { Cluster } from "./cluster.ts";
import type { Dice } from "./dice.ts";
import type { SimulatedNode } from "./node.ts";
import { calmOf, type Plan, stallSeenMs } from "./plan.ts";
import { Promptness } from "./promptness.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/**
 * In which a healed majority has recovered: several elections that fail, the wait for a ready node, also
 * for one whose disk was slow, and the longest deadline of an RPC that hangs from before.
 */
function patienceMs({ timeouts }: Plan): number {
  const { electionMs, heartbeatMs, sendMs } = timeouts;
  const hangingMs = rpcTimeoutMs("installSnapshotRequest", 0, sendMs);
  const wellMs = wellAfterMs({ electionTimeoutMs: electionMs });
  return 20 * electionMs + 20 * heartbeatMs + hangingMs + wellMs;
}

export interface Recovery {
  /** Of the time that it may take (`patienceMs`). */
  readonly recoveryShare: number;
  /** Of the time that a leader and a first commit may take (`Promptness`). */
  readonly failoverShare: number;
}

/** The checkers that also know what is still owed. */
export interface CalmChecks {
  readonly ledger: Ledger;
  readonly proposals: Proposals;
  readonly reads: Reads;
}

/** Longer than any write that is still taken for that of a disk that keeps up. */
function slowWriteMs({ timeouts }: Plan): number {
  return timeouts.heartbeatMs + 400;
}

export class Calm {
  readonly #cluster: Cluster;
  readonly #clients: Clients;
  readonly #checks: CalmChecks;
  readonly #world: World;
  readonly #dice: Dice;
  readonly #diskDice: Dice;
  readonly #lookDice: Dice;

  constructor(cluster: Cluster, clients: Clients, checks: CalmChecks, world: World) {
    this.#cluster = cluster;
    this.#clients = clients;
    this.#checks = checks;
    this.#world = world;
    this.#dice = world.dice.fork("calm");
    this.#diskDice = world.dice.fork("disks in the calm");
    this.#lookDice = world.dice.fork("looks in the calm");
  }

  /** Runs until the majority has recovered, event by event. Throws a Violation if it does not. */
  *run(): Generator<void, Recovery> {
    const { schedule, plan } = this.#world;
    this.#world.conditions = calmOf(plan);
    const healthy = this.#heal();
    this.#world.checkers.calmed();
    const beganMs = schedule.nowMs;
    const committedBefore = this.#checks.proposals.committedCount;
    // A leader whose entries do not get through, twice: others may not be able to win the first election after it.
    const stallsMs = this.#cluster.network.links.areAnyNarrow ? 2 * stallSeenMs(plan) : 0;
    const limitMs = patienceMs(plan) + stallsMs;
    const promptness = new Promptness(plan, this.#cluster, healthy);
    this.#clients.begin();
    for (;;) {
      // Not evenly: blocks that come in step with it would never be all applied at such a moment.
      const checkMs = schedule.nowMs + plan.timeouts.heartbeatMs * this.#lookDice.between(0.2, 0.3);
      while (schedule.step(checkMs)) yield;
      const tookMs = schedule.nowMs - beganMs;
      const hasProgressed = this.#checks.proposals.committedCount > committedBefore;
      // Whether all agree shows best when nothing new comes. Until then new entries make the log as long as
      // any that a wiped node was told of, also one that nobody needs.
      const isWhole = healthy.every((node) => !node.lacksMemory);
      // And a leader with a slow disk has to write to know that.
      const leads = healthy.some(({ status }) => status?.role === "leader");
      if (hasProgressed && isWhole && leads) this.#clients.pause();
      promptness.look(tookMs, hasProgressed);
      // One that is heard and cannot replicate may lead, and finds that out by what it is asked to replicate.
      const isLed = this.#cluster.nodes.some(({ status }) => status?.role === "leader");
      if (isLed && !(leads && hasProgressed)) this.#clients.propose();
      const missing = hasProgressed ? this.#missing(healthy) : "a new command is committed";
      if (missing === null) {
        for (const node of this.#cluster.nodes) node.troubleDisk(null);
        return { recoveryShare: tookMs / limitMs, failoverShare: promptness.share };
      }
      if (tookMs < limitMs) continue;
      const what = `after ${tookMs.toFixed(0)} ms of calm it is not true that ${missing}`;
      throw new Violation("progress", what);
    }
  }

  /** Makes a majority healthy, and leaves the others in some trouble. */
  #heal(): readonly SimulatedNode[] {
    const { plan, transcript } = this.#world;
    const dice = this.#dice;
    const { nodes, network } = this.#cluster;
    const majority = majorityOf(plan.clusterSize);
    const shuffled = dice.shuffled(nodes);
    // Those that lost their disks need a majority that did not; in a new cluster all begin alike.
    const whole = shuffled.filter((node) => !node.lacksMemory).slice(0, majority);
    const isNew = whole.length < majority;
    const ordered = isNew
      ? shuffled
      : [...whole, ...shuffled.filter((node) => !whole.includes(node))];
    const healthyCount = isNew ? plan.clusterSize : dice.integer(majority, plan.clusterSize);
    const healthy = ordered.slice(0, healthyCount);
    // Large entries are given so much time on slow links that the calm would last for minutes.
    const narrow = stallSeenMs(plan) < 20_000 ? ["narrow"] : [];
    for (const node of ordered.slice(healthyCount)) {
      if (node.canAil && dice.chance(0.5)) {
        node.start();
        node.ail();
        continue;
      }
      const trouble = dice.pick(["down", "asleep", "deaf", "mute", "apart", ...narrow]);
      if (trouble === "down" || !node.isUp) this.#cluster.keepDown(node);
      if (trouble === "asleep") node.sleep();
      for (const other of nodes) {
        if (trouble === "mute" || trouble === "apart") network.links.cut(node.id, other.id);
        if (trouble === "deaf" || trouble === "apart") network.links.cut(other.id, node.id);
        if (trouble === "narrow") network.links.narrow(node.id, other.id);
      }
    }
    transcript.note("calm", () => `for ${healthy.map(({ id }) => id).join(" ")}`);
    for (const node of healthy) {
      const isReady = dice.chance(0.6);
      node.setReadiness({ isReady, appliedHeight: node.saved.index, priority: 0 });
      node.start();
    }
    return isNew ? healthy : this.#besidesOneWithABadDisk(healthy);
  }

  /** Where a majority is left without it, a ready one among that, the disk of one may be slow or stall: of a leader. */
  #besidesOneWithABadDisk(healthy: readonly SimulatedNode[]): readonly SimulatedNode[] {
    const { plan, transcript } = this.#world;
    const leader = this.#cluster.saidLeader();
    const ill = healthy.find((node) => node === leader) ?? healthy.at(-1);
    const others = healthy.filter((node) => node !== ill);
    const isReady = others.some(
      ({ readiness, status }) => readiness.isReady && status?.hasStalled !== true,
    );
    // Those that lost their disks cannot do without it.
    const whole = others.filter((node) => !node.lacksMemory);
    if (ill === undefined || !isReady || whole.length < majorityOf(plan.clusterSize)) {
      return healthy;
    }
    if (!this.#diskDice.chance(0.5)) return healthy;
    const writeMs = this.#diskDice.chance(0.5) ? Number.POSITIVE_INFINITY : slowWriteMs(plan);
    transcript.note(ill.id, () => `its disk takes ${writeMs} ms for a write`);
    ill.troubleDisk(writeMs);
    return others;
  }

  /** What is not true yet; null once all is well. */
  #missing(healthy: readonly SimulatedNode[]): string | null {
    const { ledger, proposals, reads } = this.#checks;
    const leader = healthy.find(({ status }) => status?.role === "leader" && status.hasJoined);
    if (leader === undefined) return "somebody leads";
    const canBeReady = healthy.some(
      ({ readiness, status }) => readiness.isReady && status?.hasStalled === false,
    );
    if (canBeReady && leader.life?.isReady !== true) return `${leader.id}, which leads, is ready`;
    for (const node of healthy) {
      const { id, status, life } = node;
      if (status === null || life === null) return `${id} is up`;
      if (node.lacksMemory) return `${id} has regained its log, and votes`;
      if (!status.hasJoined || status.leaderId !== leader.id) return `${id} follows ${leader.id}`;
      if (status.commitIndex !== ledger.lastIndex) return `${id} knows what is committed`;
      if (life.host.appliedIndex !== ledger.lastIndex) return `${id} has applied all`;
      if (status.lastIndex !== status.commitIndex) return `${id} has nothing uncommitted`;
      if (proposals.overdueOf(node).length > 0) {
        return `${id} has answered proposals ${proposals.overdueOf(node).join(" ")}`;
      }
      if (reads.openOf(node) > 0) return `${id} has answered its reads`;
      const owed = this.#world.checkers.owedBy(node);
      if (owed !== null) return owed;
    }
    return null;
  }
}
