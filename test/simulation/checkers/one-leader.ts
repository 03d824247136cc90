/** Election safety (Raft §5.2): a term has at most one leader, by what nodes say and by what they do. */

import type { RaftEvent } from "../../../src/raft/event.ts";
import type { Message } from "../../../src/raft/message.ts";
import type { ServerId, Term } from "../../../src/raft/types.ts";
import type { SimulatedNode } from "../node.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

export class OneLeader implements Checker {
  readonly #leaders = new Map<Term, ServerId>();

  happened(node: SimulatedNode, event: RaftEvent): void {
    if (event.kind === "electionWon") this.#leads(node, event.term);
  }

  sending(node: SimulatedNode, message: Message): void {
    if (
      message.kind === "heartbeatRequest" ||
      message.kind === "appendEntriesRequest" ||
      message.kind === "installSnapshotRequest"
    ) {
      this.#leads(node, message.term);
    }
  }

  #leads({ id }: SimulatedNode, term: Term): void {
    const known = this.#leaders.get(term);
    if (known === undefined) this.#leaders.set(term, id);
    else if (known !== id) {
      throw new Violation("one leader a term", `${known} and ${id} lead term ${term}`);
    }
  }
}
