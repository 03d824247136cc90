/**
 * Committed stays committed (Raft §5.4): what any node holds for committed is the same everywhere, was on
 * a majority of disks at that moment, is there after every crash, and is truncated by nobody who follows the
 * leader that committed it, or a later one.
 */

import type { RaftEvent } from "../../../src/raft/event.ts";
import { majorityOf } from "../../../src/raft/quorum.ts";
import type { Persist } from "../../../src/raft/ready.ts";
import type { RaftStatus } from "../../../src/raft/status.ts";
import type { EntryId, LogIndex, ServerId, Term } from "../../../src/raft/types.ts";
import { describeId } from "../describe.ts";
import type { SimulatedNode } from "../node.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";
import { copiesOnDisk, type Ledger } from "./ledger.ts";
import { areSame } from "./log-matching.ts";

export class Commits implements Checker {
  readonly #ledger: Ledger;
  readonly #nodes: readonly SimulatedNode[];
  /** Have said that they regained their logs, which may not be durable yet. */
  readonly #regained = new Set<SimulatedNode>();
  /** Up to where a node's commit index was compared. */
  readonly #compared = new Map<ServerId, LogIndex>();

  constructor(ledger: Ledger, nodes: readonly SimulatedNode[]) {
    this.#ledger = ledger;
    this.#nodes = nodes;
  }

  started(node: SimulatedNode): void {
    this.#compared.set(node.id, node.written.snapshotLast.index);
  }

  ended(node: SimulatedNode): void {
    this.#checkMajority(`${node.id} has died`);
  }

  /** A delivery is part of a step that has not ended, so the commit index behind it is new. */
  delivered(node: SimulatedNode): void {
    const { status } = node;
    if (status !== null) this.stepped(node, status);
  }

  wiped(node: SimulatedNode): void {
    this.#checkMajority(`${node.id} has lost its disk`);
  }

  /** From here on its copy is counted only if it is there. */
  happened(node: SimulatedNode, event: RaftEvent): void {
    if (event.kind === "recovered") this.#regained.add(node);
  }

  stepped(node: SimulatedNode, { commitIndex, term, role }: RaftStatus): void {
    if (this.#regained.has(node) && !node.lacksMemory) {
      this.#regained.delete(node);
      this.#checkMajority(`${node.id} has regained its log`);
    }
    const compared = this.#compared.get(node.id) ?? 0;
    if (commitIndex <= compared) return;
    this.#compared.set(node.id, commitIndex);
    const knownIndex = this.#ledger.lastIndex;
    for (let index = compared + 1; index <= commitIndex; index++) this.#compare(node, index, term);
    if (role === "leader") this.#checkOwnTerm(node, { term, index: commitIndex });
    if (this.#ledger.lastIndex > knownIndex) this.#checkMajority(`${node.id} has committed`);
  }

  writing(node: SimulatedNode, { hardState, truncateFrom, snapshot }: Persist): void {
    const { currentTerm } = hardState ?? node.written.hardState;
    // A server that still obeys an earlier leader may drop its copy: it was not needed for the majority.
    if (truncateFrom !== null && currentTerm >= this.#ledger.committedIn(truncateFrom)) {
      const committed = this.#ledger.entryAt(truncateFrom);
      const held = node.written.entryAt(truncateFrom);
      if (committed !== null && held !== null && areSame(committed, held)) {
        const what = `${node.id} truncates ${describeId(held)}, which is committed`;
        throw new Violation("committed stays committed", what);
      }
    }
    if (snapshot === null || snapshot.last.index < node.written.firstIndex) return;
    if (node.written.termAt(snapshot.last.index) === snapshot.last.term) {
      const what = `${node.id} gives up a log that agrees with snapshot ${describeId(snapshot.last)}`;
      throw new Violation("committed stays committed", what);
    }
  }

  #compare(node: SimulatedNode, index: LogIndex, term: Term): void {
    const held = node.written.entryAt(index);
    const committed = this.#ledger.entryAt(index);
    if (held === null) {
      if (committed !== null && index <= node.written.snapshotLast.index) return;
      const what = `${node.id} commits index ${index}, which it does not have`;
      throw new Violation("committed stays committed", what);
    }
    if (committed === null) {
      const before = this.#ledger.append(held, term);
      if (before === null) return;
      const what = `the command of entry ${index} was committed at ${before} already`;
      throw new Violation("one entry a block", what);
    }
    if (areSame(committed, held)) return;
    throw new Violation(
      "committed stays committed",
      `${node.id} commits ${describeId(held)} where ${describeId(committed)} was committed`,
    );
  }

  /** Copies of an older term's entry prove nothing (Raft §5.4.2, Fig. 8). */
  #checkOwnTerm(node: SimulatedNode, { term, index }: EntryId): void {
    const entryTerm = node.written.termAt(index);
    if (entryTerm === term) return;
    const what = `${node.id} leads term ${term} and commits ${entryTerm}/${index} by counting copies`;
    throw new Violation("committed stays committed", what);
  }

  #checkMajority(when: string): void {
    const { last } = this.#ledger;
    const copies = copiesOnDisk(this.#nodes, last);
    if (copies >= majorityOf(this.#nodes.length)) return;
    throw new Violation(
      "committed stays committed",
      `${when}, and ${describeId(last)} is on ${copies} of ${this.#nodes.length} disks`,
    );
  }
}
