/**
 * Log matching (Raft §5.3): entries of one index and term are the same, and so are all before them.
 * Checked by induction: each entry is compared with the first one seen of its index and term, together
 * with the term of the entry before it.
 */

import { emptyBytes, equalBytes } from "../../../src/base/bytes.ts";
import type { Persist } from "../../../src/raft/ready.ts";
import type { Entry, Term } from "../../../src/raft/types.ts";
import { describeId } from "../describe.ts";
import type { SimulatedNode } from "../node.ts";
import type { Plan } from "../plan.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

interface Seen {
  readonly entry: Entry;
  readonly termBefore: Term | null;
  readonly by: string;
}

const indexesMax = 2 ** 26;

export class LogMatching implements Checker {
  readonly #isAlone: boolean;
  readonly #seen = new Map<number, Seen>();

  constructor({ clusterSize }: Plan) {
    this.#isAlone = clusterSize === 1;
  }

  /** A cluster of one tells nobody what it writes: what a crash takes was never there. */
  ended(): void {
    if (!this.#isAlone) return;
    this.#seen.clear();
  }

  writing(node: SimulatedNode, persist: Persist): void {
    const [first] = persist.entries;
    if (first === undefined) return;
    const { snapshot } = persist;
    const isAfterSnapshot = snapshot !== null && snapshot.last.index === first.index - 1;
    let termBefore = isAfterSnapshot ? snapshot.last.term : node.written.termAt(first.index - 1);
    for (const entry of persist.entries) {
      this.#compare(node, entry, termBefore);
      termBefore = entry.term;
    }
  }

  #compare(node: SimulatedNode, entry: Entry, termBefore: Term | null): void {
    const key = entry.term * indexesMax + entry.index;
    const seen = this.#seen.get(key);
    if (seen === undefined) {
      this.#seen.set(key, { entry, termBefore, by: node.id });
      return;
    }
    const isSame = areSame(entry, seen.entry) && termBefore === seen.termBefore;
    if (isSame) return;
    throw new Violation(
      "logs match",
      `${node.id} writes another entry ${describeId(entry)} than ${seen.by} did: ` +
        `${entry.kind} after term ${termBefore}, and ${seen.entry.kind} after term ${seen.termBefore}`,
    );
  }
}

/** Commands are compared as objects: nothing on the way may copy them (see payloads.ts). */
export function areSame(a: Entry, b: Entry): boolean {
  if (a.index !== b.index || a.term !== b.term || a.kind !== b.kind) return false;
  if (a.kind === "command") return a.data === b.data;
  return equalBytes(a.data ?? emptyBytes, b.data ?? emptyBytes);
}
