/**
 * What a node says it has done is on its disk before it says so (Raft §5.1), and it never promises one
 * vote to two candidates, however often it crashes.
 */

import type { RaftEvent } from "../../../src/raft/event.ts";
import type { AppendEntriesRequest, Message, RequestMessage } from "../../../src/raft/message.ts";
import type { ServerId, Term } from "../../../src/raft/types.ts";
import { describeId, describeMessage } from "../describe.ts";
import type { SimulatedNode } from "../node.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

export class Promises implements Checker {
  /** By voter and term. */
  readonly #votes = new Map<string, ServerId>();
  /** Keys of votes whose voters have lost their disks since. */
  readonly #forgotten = new Set<string>();
  readonly #electedIn = new Map<Term, ServerId>();

  sending(node: SimulatedNode, message: Message, request: RequestMessage | null): void {
    switch (message.kind) {
      // Leading says: I have voted for myself. Asking for votes does not.
      case "heartbeatRequest":
      case "appendEntriesRequest":
      case "installSnapshotRequest":
        return this.#voted(node, sends(message), message.term, node.id);
      case "requestVoteResponse":
        if (message.granted && request !== null) {
          this.#voted(node, sends(message), message.term, request.from);
        }
        return;
      case "heartbeatResponse":
        if (message.success) this.#inTerm(node, message, message.term);
        return;
      case "appendEntriesResponse":
        if (!message.success || request?.kind !== "appendEntriesRequest") return;
        this.#inTerm(node, message, message.term);
        return this.#stored(node, message, request);
      case "installSnapshotResponse":
        if (!message.success || request?.kind !== "installSnapshotRequest") return;
        this.#inTerm(node, message, message.term);
        if (!node.durable.covers(request.snapshot.last)) {
          this.#broken(node, sends(message), "not stored");
        }
    }
  }

  wiped(node: SimulatedNode): void {
    for (const key of this.#votes.keys()) {
      if (key.startsWith(`${node.id}/`)) this.#forgotten.add(key);
    }
  }

  happened(node: SimulatedNode, event: RaftEvent): void {
    if (event.kind !== "electionWon") return;
    this.#electedIn.set(event.term, node.id);
    this.#voted(node, "wins the election", event.term, node.id);
  }

  #voted(node: SimulatedNode, does: string, term: Term, candidate: ServerId): void {
    const { currentTerm, votedFor } = node.durable.hardState;
    if (currentTerm < term || (currentTerm === term && votedFor !== candidate)) {
      const what = `the disk says term ${currentTerm}, vote for ${votedFor ?? "none"}`;
      this.#broken(node, does, what);
    }
    const key = `${node.id}/${term}`;
    const before = this.#votes.get(key);
    // A vote that was forgotten with the disk may be given again only where the first one elects nobody.
    const isVoid =
      before !== undefined && this.#forgotten.has(key) && this.#electedIn.get(term) !== before;
    if (before === undefined || isVoid) {
      this.#votes.set(key, candidate);
      this.#forgotten.delete(key);
    } else if (before !== candidate) {
      const what = `${node.id} votes for ${before} and ${candidate} in term ${term}`;
      throw new Violation("one vote a term", what);
    }
  }

  #inTerm(node: SimulatedNode, message: Message, term: Term): void {
    const { currentTerm } = node.durable.hardState;
    if (currentTerm < term) {
      this.#broken(node, sends(message), `the disk says term ${currentTerm}`);
    }
  }

  #stored(node: SimulatedNode, message: Message, { prev, entries }: AppendEntriesRequest): void {
    const last = entries.at(-1) ?? prev;
    if (node.durable.covers(last)) return;
    this.#broken(node, sends(message), `${describeId(last)} is not on its disk`);
  }

  #broken(node: SimulatedNode, does: string, why: string): never {
    throw new Violation("promised means durable", `${node.id} ${does}, but ${why}`);
  }
}

function sends(message: Message): string {
  return `sends ${describeMessage(message)}`;
}
