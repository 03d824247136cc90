/**
 * A leader forgets what a follower acknowledged only if that follower has lost its disk; so it is at least
 * on ordered connections, which are all that the transport offers.
 */

import type { RaftEvent } from "../../../src/raft/event.ts";
import type { ServerId } from "../../../src/raft/types.ts";
import type { SimulatedNode } from "../node.ts";
import type { Plan } from "../plan.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

export class Matches implements Checker {
  readonly #isOrdered: boolean;
  readonly #wiped = new Set<ServerId>();

  constructor({ isOrdered }: Plan) {
    this.#isOrdered = isOrdered;
  }

  wiped(node: SimulatedNode): void {
    this.#wiped.add(node.id);
  }

  happened(node: SimulatedNode, event: RaftEvent): void {
    if (event.kind !== "matchForgotten" || !this.#isOrdered) return;
    if (this.#wiped.has(event.peerId)) return;
    const what = `${node.id} forgets that ${event.peerId} matched up to ${event.matchIndex}`;
    throw new Violation("no match is forgotten", what);
  }
}
