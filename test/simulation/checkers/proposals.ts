/** Proposals are answered once and truly (P7): committed means there, anything else means nowhere, ever. */

import type { ProposalOutcome } from "../../../src/consensus/driver.ts";
import type { Persist } from "../../../src/raft/ready.ts";
import type { RaftStatus } from "../../../src/raft/status.ts";
import type { LogIndex, ServerId, Term } from "../../../src/raft/types.ts";
import type { SimulatedNode } from "../node.ts";
import type { CommandId, Payloads } from "../payloads.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";
import type { Ledger } from "./ledger.ts";

interface Open {
  readonly node: ServerId;
  /** In which it was to be committed: what it says follows from what was the last block then. */
  readonly term: Term;
  /** Where the node appended it; null before. */
  index: LogIndex | null;
}

export class Proposals implements Checker {
  readonly #ledger: Ledger;
  readonly #payloads: Payloads;
  readonly #open = new Map<CommandId, Open>();
  /** Said to be committed nowhere. */
  readonly #denied = new Map<CommandId, string>();
  #committedCount = 0;
  #judgedIndex: LogIndex = 0;

  constructor(ledger: Ledger, payloads: Payloads) {
    this.#ledger = ledger;
    this.#payloads = payloads;
  }

  /** How many were answered with "committed". */
  get committedCount(): number {
    return this.#committedCount;
  }

  proposed(node: SimulatedNode, proposalId: CommandId, term: Term): void {
    this.#open.set(proposalId, { node: node.id, term, index: null });
  }

  ended(node: SimulatedNode): void {
    for (const [id, open] of this.#open) if (open.node === node.id) this.#open.delete(id);
  }

  writing(node: SimulatedNode, { entries }: Persist): void {
    for (const entry of entries) {
      const open = this.#open.get(this.#payloads.commandOf(entry) ?? -1);
      if (open?.node === node.id) open.index = entry.index;
    }
  }

  proposalAnswered(node: SimulatedNode, proposalId: CommandId, outcome: ProposalOutcome): void {
    const said = `${node.id} answers proposal ${proposalId} with ${outcome.kind}`;
    const open = this.#open.get(proposalId);
    const index = open?.index ?? null;
    if (!this.#open.delete(proposalId)) {
      throw new Violation("proposals are answered truly", `${said}, which it does not owe`);
    }
    // Under a snapshot from another leader nobody can tell what became of it.
    const isUnknown = outcome.kind === "lost" && index !== null && index < node.written.firstIndex;
    if (isUnknown) return;
    if (outcome.kind !== "committed") {
      this.#denied.set(proposalId, said);
      this.#checkDenied(proposalId);
      return;
    }
    this.#committedCount++;
    if (outcome.term !== open?.term) {
      const what = `${said} in term ${outcome.term}; it was for term ${open?.term} only`;
      throw new Violation("proposals are answered truly", what);
    }
    const entry = this.#ledger.entryAt(outcome.index);
    // The step that commits it has not ended: the ledger hears of it then.
    const isBeingCommitted = entry === null && outcome.index <= (node.status?.commitIndex ?? 0);
    if (isBeingCommitted && node.written.entryAt(outcome.index)?.term === outcome.term) return;
    const isTrue = entry?.term === outcome.term && this.#payloads.commandOf(entry) === proposalId;
    if (!isTrue) {
      const what = `${said} at ${outcome.term}/${outcome.index}, where another entry is committed`;
      throw new Violation("proposals are answered truly", what);
    }
  }

  stepped(_node: SimulatedNode, _status: RaftStatus): void {
    for (; this.#judgedIndex < this.#ledger.lastIndex; this.#judgedIndex++) {
      const entry = this.#ledger.entryAt(this.#judgedIndex + 1);
      const command = entry === null ? null : this.#payloads.commandOf(entry);
      if (command !== null) this.#checkDenied(command);
    }
  }

  /** Proposals to this process that its commit index has passed, unanswered. */
  overdueOf(node: SimulatedNode): readonly CommandId[] {
    const commitIndex = node.status?.commitIndex ?? 0;
    return [...this.#open]
      .filter(([, open]) => open.node === node.id)
      .filter(([, { index }]) => index === null || index <= commitIndex)
      .map(([id]) => id);
  }

  #checkDenied(command: CommandId): void {
    const said = this.#denied.get(command);
    const index = this.#ledger.indexOf(command);
    if (said === undefined || index === null) return;
    throw new Violation("proposals are answered truly", `${said}; it is committed at ${index}`);
  }
}
