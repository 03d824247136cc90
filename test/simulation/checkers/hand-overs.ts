/** Leadership is handed to a server that has the whole log (thesis §3.10), or it could not win, and nobody leads (P9). */

import type { Message } from "../../../src/raft/message.ts";
import type { ServerId } from "../../../src/raft/types.ts";
import { describeId } from "../describe.ts";
import type { SimulatedNode } from "../node.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

export class HandOvers implements Checker {
  readonly #nodes: readonly SimulatedNode[];
  /** What they have lost may be held for theirs for a while. */
  readonly #wiped = new Set<ServerId>();

  constructor(nodes: readonly SimulatedNode[]) {
    this.#nodes = nodes;
  }

  wiped(node: SimulatedNode): void {
    this.#wiped.add(node.id);
  }

  sending(node: SimulatedNode, message: Message): void {
    if (message.kind !== "timeoutNowRequest" || this.#wiped.has(message.to)) return;
    const target = this.#nodes.find(({ id }) => id === message.to);
    const { last, hardState } = node.written;
    if (target === undefined || target.durable.covers(last)) return;
    // It had the whole log, and follows the leader of a newer term since; the old one has slept through that, and is refused.
    if (target.written.hardState.currentTerm > hardState.currentTerm) return;
    throw new Violation(
      "leadership is handed to the caught up",
      `${node.id} hands over to ${target.id}, which lacks ${describeId(last)}`,
    );
  }
}
