/**
 * Failover in time: where a majority is sound, and nothing but elections is to be waited for, it has a leader and commits
 * within a few of them. `patienceMs` also bears with wiped nodes, snapshots and ill disks, and is many times as long.
 */

import { bytesInFlightMax } from "../../src/base/limits.ts";
import { rpcTimeoutMs } from "../../src/transport/deadlines.ts";
import type { Cluster } from "./cluster.ts";
import type { SimulatedNode } from "./node.ts";
import type { Plan } from "./plan.ts";
import { Violation } from "./violation.ts";

/**
 * A silent leader is waited for up to two heartbeat timeouts, and votes may be split: of 21,000 seeds the unluckiest took
 * two thirds of this. There is room for bad luck, and none for a timeout of ten times the length.
 */
function electionsMs({ timeouts }: Plan): number {
  return 6 * timeouts.electionMs + 4 * timeouts.heartbeatMs;
}

/** Those that are not ready wait longer, and are kept from leading for a while (P5). */
function unreadyMs({ timeouts }: Plan): number {
  return 4 * timeouts.electionMs + 2 * timeouts.heartbeatMs;
}

/** What is under way when the calm begins: a message that takes its time, a write that stalls. */
function leftoverMs({ chaos: { network, disk } }: Plan): number {
  const delayMs = network.delayRate > 0 ? network.delayMs.high : 0;
  const stallMs = disk.stallRate > 0 ? disk.stallMs.high : 0;
  return delayMs + stallMs;
}

/** Entries on a slow link, or an AppendEntries that was lost there: its deadline alone tells. */
function hangingMs({ timeouts, chaos: { network, client } }: Plan): number {
  const waitingBytes = bytesInFlightMax + client.payloadBytes.high;
  const lostMs = rpcTimeoutMs("appendEntriesRequest", client.payloadBytes.high, timeouts.sendMs);
  return waitingBytes / network.bytesPerMs + lostMs;
}

export class Promptness {
  readonly #healthy: readonly SimulatedNode[];
  readonly #leaderMaxMs: number;
  readonly #commitMaxMs: number;
  #isExcused: boolean;
  #hasLeader = false;
  #hasCommitted = false;
  #share = 0;

  /** `healthy`: those that are to recover. */
  constructor(plan: Plan, { nodes, network }: Cluster, healthy: readonly SimulatedNode[]) {
    this.#healthy = healthy;
    const areReady = healthy.every(({ readiness }) => readiness.isReady);
    this.#leaderMaxMs = electionsMs(plan) + leftoverMs(plan) + (areReady ? 0 : unreadyMs(plan));
    this.#commitMaxMs = this.#leaderMaxMs + hangingMs(plan);
    // Whole nodes judge themselves when they are ready.
    const areWhole = nodes.some(({ canAil }) => canAil);
    const isAnyIll = nodes.some(({ diskWriteMs }) => diskWriteMs !== null);
    const { areAnyNarrow } = network.links;
    const isAnyWiped = healthy.some(({ lacksMemory }) => lacksMemory);
    this.#isExcused = areWhole || isAnyIll || areAnyNarrow || isAnyWiped;
  }

  /** How much of the time was taken that there is, at most; 0 if there is no limit. */
  get share(): number {
    return this.#isExcused ? 0 : this.#share;
  }

  look(tookMs: number, hasCommitted: boolean): void {
    if (this.#hasCommitted) return;
    this.#isExcused ||= this.#healthy.some((node) => this.#hasToWait(node));
    if (this.#isExcused) return;
    this.#hasLeader ||= this.#healthy.some(({ status }) => status?.role === "leader");
    this.#hasCommitted = hasCommitted;
    const limitMs = this.#hasLeader ? this.#commitMaxMs : this.#leaderMaxMs;
    this.#share = Math.max(this.#share, tookMs / limitMs);
    if (tookMs <= limitMs) return;
    const missing = this.#hasLeader ? "nothing new is committed" : "nobody leads";
    const what = `${missing} after ${tookMs.toFixed(0)} ms of calm, in which only elections are to be waited for`;
    throw new Violation("progress", what);
  }

  /** For its disk, or for a snapshot. */
  #hasToWait({ life, status }: SimulatedNode): boolean {
    if (life === null || life.disk.isSlowedDown) return true;
    if ((life.driver?.slowDisk ?? null) !== null) return true;
    if (status?.role !== "leader") return false;
    return (
      status.peers.some(({ pace }) => pace === "snapshot") ||
      this.#healthy.some((other) => (other.status?.lastIndex ?? 0) + 1 < status.firstIndex)
    );
  }
}
