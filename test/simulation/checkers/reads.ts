/** Linearizable reads (thesis §6.4): a confirmed one sees all that anyone held for committed when it began. */

import type { ReadAnswer } from "../../../src/raft/ready.ts";
import type { LogIndex, ServerId } from "../../../src/raft/types.ts";
import type { SimulatedNode } from "../node.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";
import type { Ledger } from "./ledger.ts";

export class Reads implements Checker {
  readonly #ledger: Ledger;
  readonly #open = new Map<number, { readonly node: ServerId; readonly floor: LogIndex }>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  ended(node: SimulatedNode): void {
    for (const [readId, read] of this.#open) if (read.node === node.id) this.#open.delete(readId);
  }

  readBegan(node: SimulatedNode, readId: number): void {
    this.#open.set(readId, { node: node.id, floor: this.#ledger.lastIndex });
  }

  readAnswered(node: SimulatedNode, answer: ReadAnswer): void {
    const read = this.#open.get(answer.readId);
    this.#open.delete(answer.readId);
    if (read === undefined) {
      throw new Violation("reads are current", `${node.id} answers read ${answer.readId} twice`);
    }
    if (answer.kind === "refused" || answer.readIndex >= read.floor) return;
    throw new Violation(
      "reads are current",
      `${node.id} confirms read ${answer.readId} at ${answer.readIndex}; ${read.floor} was committed`,
    );
  }

  /** Reads that this process owes an answer. */
  openOf(node: SimulatedNode): number {
    return [...this.#open.values()].filter((read) => read.node === node.id).length;
  }
}
