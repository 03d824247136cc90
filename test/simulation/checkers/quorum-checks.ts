/**
 * A leader that hears no majority steps down (check-quorum, thesis §6.2): within a heartbeat timeout, or
 * within one after its process has been let go on. Twice that is what is allowed here.
 */

import type { RaftEvent } from "../../../src/raft/event.ts";
import type { Message } from "../../../src/raft/message.ts";
import { quorumValue } from "../../../src/raft/quorum.ts";
import type { RaftStatus } from "../../../src/raft/status.ts";
import type { ServerId } from "../../../src/raft/types.ts";
import type { SimulatedNode } from "../node.ts";
import type { Plan } from "../plan.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

export class QuorumChecks implements Checker {
  readonly #silenceMaxMs: number;
  readonly #electedMs = new Map<ServerId, number>();
  /** When each peer of a node last answered, by the node's own clock. */
  readonly #answeredMs = new Map<ServerId, Map<ServerId, number>>();

  constructor({ timeouts }: Plan) {
    this.#silenceMaxMs = 2 * timeouts.heartbeatMs;
  }

  /** Each life has a clock of its own. */
  started(node: SimulatedNode): void {
    this.#answeredMs.set(node.id, new Map());
  }

  happened(node: SimulatedNode, event: RaftEvent): void {
    if (event.kind === "electionWon" && node.life !== null) {
      this.#electedMs.set(node.id, node.life.clock.now());
    }
  }

  receiving(node: SimulatedNode, message: Message): void {
    const isAnswer =
      message.kind === "heartbeatResponse" ||
      message.kind === "appendEntriesResponse" ||
      message.kind === "installSnapshotResponse";
    if (!isAnswer || node.life === null) return;
    this.#answeredMs.get(node.id)?.set(message.from, node.life.clock.now());
  }

  stepped(node: SimulatedNode, { role, term }: RaftStatus): void {
    const { life } = node;
    if (role !== "leader" || life === null) return;
    const nowMs = life.clock.now();
    const answeredMs = this.#answeredMs.get(node.id);
    const heardMs = quorumValue(
      node.voters.map((id) => (id === node.id ? nowMs : (answeredMs?.get(id) ?? 0))),
    );
    const sinceMs = Math.max(heardMs, life.wokeMs, this.#electedMs.get(node.id) ?? 0);
    const silentMs = nowMs - sinceMs;
    if (silentMs <= this.#silenceMaxMs) return;
    throw new Violation(
      "a leader without a majority steps down",
      `${node.id} leads term ${term}, and no majority has answered for ${silentMs.toFixed(0)} ms`,
    );
  }
}
