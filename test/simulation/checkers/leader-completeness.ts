/** Leader completeness (Raft §5.4): whoever is elected has all that was committed in earlier terms. */

import type { RaftEvent } from "../../../src/raft/event.ts";
import { describeId } from "../describe.ts";
import type { SimulatedNode } from "../node.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";
import type { Ledger } from "./ledger.ts";

export class LeaderCompleteness implements Checker {
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  happened(node: SimulatedNode, event: RaftEvent): void {
    if (event.kind !== "electionWon") return;
    // An old candidate may win late, with votes from before a newer leader: it will commit nothing.
    const last = this.#ledger.lastBefore(event.term);
    if (node.written.covers(last)) return;
    throw new Violation(
      "a leader has all that is committed",
      `${node.id} leads term ${event.term} without ${describeId(last)}`,
    );
  }
}
