/**
 * At most one node holds a valid lease at a time, while clocks drift by less than the lease is shorter
 * than the heartbeat timeout, nobody is told of a death that did not happen, and no hand-over failed
 * (its target may campaign late, and does not keep to the timeouts).
 */

import type { RaftEvent } from "../../../src/raft/event.ts";
import type { SimulatedNode } from "../node.ts";
import type { Plan } from "../plan.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

export class Leases implements Checker {
  readonly #nodes: readonly SimulatedNode[];
  #holds: boolean;

  constructor(plan: Plan, nodes: readonly SimulatedNode[]) {
    this.#nodes = nodes;
    const { leaseMs, heartbeatMs } = plan.timeouts;
    const { clockDrift, faults } = plan;
    // A stamp may run ahead of the clock by a fraction of a millisecond.
    const longestMs = (leaseMs + 1) / (1 - clockDrift);
    const isDriftBounded = longestMs < heartbeatMs / (1 + clockDrift);
    this.#holds = isDriftBounded && faults.falseGoneEveryMs === Number.POSITIVE_INFINITY;
  }

  happened(_node: SimulatedNode, event: RaftEvent): void {
    if (event.kind === "transferEnded" && event.outcome !== "done") this.#holds = false;
  }

  stepped(node: SimulatedNode): void {
    if (!this.#holds || !hasLease(node)) return;
    for (const other of this.#nodes) {
      if (other === node || !hasLease(other)) continue;
      const terms = `${node.life?.host.leaseTerm} and ${other.life?.host.leaseTerm}`;
      const what = `${node.id} and ${other.id} hold leases at once, in terms ${terms}`;
      throw new Violation("one lease at a time", what);
    }
  }
}

function hasLease({ life }: SimulatedNode): boolean {
  return life !== null && life.clock.now() < life.host.leaseUntilMs;
}
