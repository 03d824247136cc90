/**
 * No disk is wiped here, so no leader has reason to forget what a follower acknowledged; on ordered
 * connections, which are all that the transport offers, it does not.
 */

import type { RaftEvent } from "../../../src/raft/event.ts";
import type { SimulatedNode } from "../node.ts";
import type { Plan } from "../plan.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

export class Matches implements Checker {
  readonly #isOrdered: boolean;

  constructor({ isOrdered }: Plan) {
    this.#isOrdered = isOrdered;
  }

  happened(node: SimulatedNode, event: RaftEvent): void {
    if (event.kind !== "matchForgotten" || !this.#isOrdered) return;
    const what = `${node.id} forgets that ${event.peerId} matched up to ${event.matchIndex}`;
    throw new Violation("no match is forgotten", what);
  }
}
