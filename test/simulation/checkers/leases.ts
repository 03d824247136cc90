/**
 * At most one node holds a valid lease at a time. That assumes (src/raft/README.md, "Time") that clocks
 * drift by less than the lease is shorter than the heartbeat timeout, that nobody is told of a death that
 * did not happen, that a voter which restarts takes longer than a lease to vote, and that no hand-over
 * failed, whose target may yet campaign. Where an assumption does not hold, nothing is checked.
 */

import type { RaftEvent } from "../../../src/raft/event.ts";
import type { SimulatedNode } from "../node.ts";
import type { Plan } from "../plan.ts";
import type { Schedule } from "../schedule.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

export class Leases implements Checker {
  readonly #nodes: readonly SimulatedNode[];
  readonly #schedule: Schedule;
  readonly #longestMs: number;
  #holds: boolean;
  /** A voter that has forgotten whom it answered may elect another until then. */
  #doubtUntilMs = 0;

  constructor(plan: Plan, nodes: readonly SimulatedNode[], schedule: Schedule) {
    this.#nodes = nodes;
    this.#schedule = schedule;
    const { leaseMs, heartbeatMs } = plan.timeouts;
    const { clockDrift, faults } = plan;
    // A stamp may run ahead of the clock by a fraction of a millisecond.
    this.#longestMs = (leaseMs + 1) / (1 - clockDrift);
    const isDriftBounded = this.#longestMs < heartbeatMs / (1 + clockDrift);
    this.#holds = isDriftBounded && faults.falseGoneEveryMs === Number.POSITIVE_INFINITY;
  }

  started(): void {
    this.#doubtUntilMs = this.#schedule.nowMs + this.#longestMs;
  }

  happened(_node: SimulatedNode, event: RaftEvent): void {
    if (event.kind === "transferEnded" && event.outcome !== "done") this.#holds = false;
  }

  /** Whether all that a lease assumes holds now, and `node` has one. */
  canTrust(node: SimulatedNode): boolean {
    return this.#holds && this.#schedule.nowMs >= this.#doubtUntilMs && hasLease(node);
  }

  stepped(node: SimulatedNode): void {
    if (!this.canTrust(node)) return;
    for (const other of this.#nodes) {
      if (other === node || !hasLease(other)) continue;
      const terms = `${node.life?.host.leaseTerm} and ${other.life?.host.leaseTerm}`;
      const what = `${node.id} and ${other.id} hold leases at once, in terms ${terms}`;
      throw new Violation("one lease at a time", what);
    }
  }
}

function hasLease({ life }: SimulatedNode): boolean {
  return life?.host.hasLease ?? false;
}
