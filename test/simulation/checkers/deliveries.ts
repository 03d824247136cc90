/**
 * State machine safety (P1, P8): hosts get the committed entries, all of them, once and in order, within
 * each life of a process from where it left off, and no more of them at once than was agreed.
 */

import { applyWindowMaxBytes } from "../../../src/base/limits.ts";
import type { Entry, LogIndex, ServerId } from "../../../src/raft/types.ts";
import type { AppliedState } from "../applied-state.ts";
import { describeId } from "../describe.ts";
import type { SimulatedNode } from "../node.ts";
import { payloadMaxBytes } from "../payloads.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";
import type { Ledger } from "./ledger.ts";
import { areSame } from "./log-matching.ts";

/** The window is full once it is reached: the entry that reaches it may reach beyond it. */
const heldMaxBytes = applyWindowMaxBytes + payloadMaxBytes + 64;

export class Deliveries implements Checker {
  readonly #ledger: Ledger;
  readonly #deliveredIndex = new Map<ServerId, LogIndex>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** At its last block, or at nothing where that came from a peer: which entry it is of was not known then. */
  begun({ id, saved }: SimulatedNode, appliedIndex: LogIndex): void {
    if (appliedIndex !== 0 && appliedIndex !== saved.index) {
      const what = `${id} goes on after ${appliedIndex}, and what it saved ends at ${saved.index}`;
      throw new Violation("no gap and no repeat", what);
    }
    this.#deliveredIndex.set(id, appliedIndex);
  }

  delivered(node: SimulatedNode, entries: readonly Entry[]): void {
    for (const entry of entries) {
      const expected = (this.#deliveredIndex.get(node.id) ?? 0) + 1;
      if (entry.index !== expected) {
        const what = `${node.id} delivers entry ${entry.index} where ${expected} comes next`;
        throw new Violation("no gap and no repeat", what);
      }
      this.#deliveredIndex.set(node.id, entry.index);
      const committed = this.#ledger.entryAt(entry.index);
      if (committed === null || !areSame(committed, entry)) {
        const other = committed === null ? "nothing" : describeId(committed);
        const what = `${node.id} delivers ${describeId(entry)} where ${other} is committed`;
        throw new Violation("one block at a height", what);
      }
    }
    const heldBytes = node.life?.host.heldBytes ?? 0;
    if (heldBytes <= heldMaxBytes) return;
    throw new Violation("bounded memory", `${node.id} holds ${heldBytes} bytes not yet applied`);
  }

  snapshotDelivered(node: SimulatedNode, { index }: AppliedState): void {
    const delivered = this.#deliveredIndex.get(node.id) ?? 0;
    if (index <= delivered) {
      const what = `${node.id} delivers a snapshot of ${index} after entry ${delivered}`;
      throw new Violation("no gap and no repeat", what);
    }
    this.#deliveredIndex.set(node.id, index);
  }
}
