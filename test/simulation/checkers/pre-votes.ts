/**
 * A server that was cut off disturbs nobody (thesis §9.6): it begins no term unless a majority would elect
 * it, told to by a leader apart; and nobody who hears a leader says that it would elect another.
 */

import type { RaftEvent } from "../../../src/raft/event.ts";
import type { Message, RequestMessage } from "../../../src/raft/message.ts";
import { majorityOf } from "../../../src/raft/quorum.ts";
import type { ServerId, Term } from "../../../src/raft/types.ts";
import type { SimulatedNode } from "../node.ts";
import type { Plan } from "../plan.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

interface HeardLeader {
  readonly id: ServerId;
  readonly term: Term;
  /** By the node's own clock. */
  readonly atMs: number;
}

export class PreVotes implements Checker {
  readonly #heartbeatMs: number;
  /** Those that granted this node a pre-vote, since it asks for them: by `voter/term`. */
  readonly #granted = new Map<ServerId, Set<string>>();
  readonly #heard = new Map<ServerId, HeardLeader>();
  /** By the message of this step. */
  #grantedNow: string | null = null;

  constructor({ timeouts }: Plan) {
    this.#heartbeatMs = timeouts.heartbeatMs;
  }

  started(node: SimulatedNode): void {
    this.#granted.delete(node.id);
    this.#heard.delete(node.id);
  }

  receiving(node: SimulatedNode, message: Message): void {
    switch (message.kind) {
      case "requestPreVoteResponse":
        if (!message.granted) return;
        this.#grantedNow = `${message.from}/${message.term}`;
        this.#grantsOf(node).add(this.#grantedNow);
        return;
      case "heartbeatRequest":
      case "appendEntriesRequest":
      case "installSnapshotRequest": {
        const { from: id, term } = message;
        const { life } = node;
        // Without a log it only looks for one: what it hears then is no leader to it.
        if (life === null || life.driver === null) return;
        if (term < node.written.hardState.currentTerm) return;
        this.#heard.set(node.id, { id, term, atMs: life.clock.now() });
      }
    }
  }

  stepped(): void {
    this.#grantedNow = null;
  }

  happened(node: SimulatedNode, event: RaftEvent): void {
    switch (event.kind) {
      case "leaderProcessGone":
        this.#heard.delete(node.id);
        return;
      case "becamePreCandidate":
        this.#heard.delete(node.id);
        this.#granted.delete(node.id);
        // Awoken, it begins with what is due, and then takes in the message of the same step.
        if (this.#grantedNow !== null) this.#grantsOf(node).add(this.#grantedNow);
        return;
      case "becameCandidate":
        this.#heard.delete(node.id);
        if (!event.isTransfer) this.#checkGrants(node, event.term);
    }
  }

  sending(node: SimulatedNode, message: Message, request: RequestMessage | null): void {
    if (message.kind !== "requestPreVoteResponse" || !message.granted || request === null) return;
    const heard = this.#heard.get(node.id);
    const { life, status } = node;
    if (heard === undefined || life === null || heard.id === request.from) return;
    const silentMs = life.clock.now() - heard.atMs;
    if (heard.term !== status?.term || silentMs >= this.#heartbeatMs) return;
    throw new Violation(
      "no campaign without pre-votes",
      `${node.id} would elect ${request.from}, and heard leader ${heard.id} ${silentMs.toFixed(0)} ms ago`,
    );
  }

  #checkGrants(node: SimulatedNode, term: Term): void {
    const others = node.voters.filter((id) => id !== node.id);
    const granted = others.filter((id) => this.#grantsOf(node).has(`${id}/${term}`)).length;
    if (granted + 1 >= majorityOf(node.voters.length)) return;
    throw new Violation(
      "no campaign without pre-votes",
      `${node.id} campaigns in term ${term} with ${granted} pre-votes of others`,
    );
  }

  #grantsOf(node: SimulatedNode): Set<string> {
    const granted = this.#granted.get(node.id) ?? new Set();
    this.#granted.set(node.id, granted);
    return granted;
  }
}
