/**
 * Leader append-only (Raft §5.3, Fig. 3): whoever was elected in a term overwrites and removes nothing of its own log
 * while that is its term. Nobody else leads it, so this holds of a leader that stepped down in it, too.
 */

import type { RaftEvent } from "../../../src/raft/event.ts";
import type { Persist } from "../../../src/raft/ready.ts";
import type { LogIndex, Term } from "../../../src/raft/types.ts";
import { describeId } from "../describe.ts";
import type { LogImage } from "../log-image.ts";
import type { SimulatedNode } from "../node.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

export class LeaderAppendOnly implements Checker {
  /** The last term that each has won. */
  readonly #won = new Map<SimulatedNode, Term>();

  happened(node: SimulatedNode, event: RaftEvent): void {
    if (event.kind === "electionWon") this.#won.set(node, event.term);
  }

  /** It has nothing left to keep, and does not know that it led. */
  wiped(node: SimulatedNode): void {
    this.#won.delete(node);
  }

  writing(node: SimulatedNode, persist: Persist): void {
    const { currentTerm } = persist.hardState ?? node.written.hardState;
    // A step writes before it tells of its events, such as the election that it won.
    const leads = node.status?.role === "leader" || this.#won.get(node) === currentTerm;
    const index = leads ? firstReplaced(node.written, persist) : null;
    if (index === null) return;
    const held = { term: node.written.termAt(index) ?? 0, index };
    throw new Violation(
      "a leader only appends",
      `${node.id}, elected in term ${currentTerm}, gives up its entries from ${describeId(held)} on`,
    );
  }
}

/** The first entry of the log that is not in it any more once this is written; null if all are. */
function firstReplaced(log: LogImage, persist: Persist): LogIndex | null {
  const { snapshot, truncateFrom, entries } = persist;
  const isEmpty = log.lastIndex < log.firstIndex;
  if (snapshot !== null && !isEmpty) return log.firstIndex;
  const index = truncateFrom ?? entries[0]?.index ?? Number.POSITIVE_INFINITY;
  return index <= log.lastIndex ? index : null;
}
