/** P5, its hard half: a ready node helps no unready one to lead before the wait is over. */

import type { Message, RequestMessage } from "../../../src/raft/message.ts";
import type { RaftStatus } from "../../../src/raft/status.ts";
import type { ServerId } from "../../../src/raft/types.ts";
import type { SimulatedNode } from "../node.ts";
import type { Plan } from "../plan.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

export class ReadyLead implements Checker {
  readonly #waitMs: number;
  /** By the node's own clock: when it last heard of a leader, or was one, or began. */
  readonly #contactMs = new Map<ServerId, number>();

  constructor({ timeouts }: Plan) {
    this.#waitMs = 4 * timeouts.electionMs;
  }

  started(node: SimulatedNode): void {
    this.#heard(node);
  }

  receiving(node: SimulatedNode, message: Message): void {
    if (
      message.kind !== "heartbeatRequest" &&
      message.kind !== "appendEntriesRequest" &&
      message.kind !== "installSnapshotRequest"
    ) {
      return;
    }
    if (message.term >= node.written.hardState.currentTerm) this.#heard(node);
  }

  stepped(node: SimulatedNode, { role }: RaftStatus): void {
    if (role === "leader") this.#heard(node);
  }

  sending(node: SimulatedNode, message: Message, request: RequestMessage | null): void {
    if (message.kind !== "requestPreVoteResponse" || !message.granted) return;
    if (request?.kind !== "requestPreVoteRequest" || request.readiness?.isReady !== false) return;
    const { life } = node;
    if (life === null || !life.isReady) return;
    const leaderlessMs = life.clock.now() - (this.#contactMs.get(node.id) ?? 0);
    if (leaderlessMs >= this.#waitMs) return;
    throw new Violation(
      "the ready lead",
      `${node.id} is ready, and helps unready ${request.from} after ${leaderlessMs.toFixed(0)} ms`,
    );
  }

  #heard(node: SimulatedNode): void {
    if (node.life !== null) this.#contactMs.set(node.id, node.life.clock.now());
  }
}
