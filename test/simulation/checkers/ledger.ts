/** The one history: every entry that any node ever held for committed, and who has it on disk. */

import type { Entry, EntryId, LogIndex, Term } from "../../../src/raft/types.ts";
import { nextHash } from "../applied-state.ts";
import type { SimulatedNode } from "../node.ts";
import type { CommandId, Payloads } from "../payloads.ts";

export class Ledger {
  readonly #payloads: Payloads;
  readonly #entries: Entry[] = [];
  readonly #hashes: number[] = [];
  /** The term of whoever committed the entry. */
  readonly #committedIn: Term[] = [];
  readonly #indexOf = new Map<CommandId, LogIndex>();

  constructor(payloads: Payloads) {
    this.#payloads = payloads;
  }

  get lastIndex(): LogIndex {
    return this.#entries.length;
  }

  get last(): EntryId {
    const { lastIndex } = this;
    return { term: this.entryAt(lastIndex)?.term ?? 0, index: lastIndex };
  }

  entryAt(index: LogIndex): Entry | null {
    return this.#entries[index - 1] ?? null;
  }

  /** The state after the entry at `index`. */
  hashAt(index: LogIndex): number {
    return this.#hashes[index - 1] ?? 0;
  }

  /** Where a command was committed; null if it was not, so far. */
  indexOf(command: CommandId): LogIndex | null {
    return this.#indexOf.get(command) ?? null;
  }

  /** The term of the leader that committed the entry at `index`; Infinity while none has. */
  committedIn(index: LogIndex): Term {
    return this.#committedIn[index - 1] ?? Number.POSITIVE_INFINITY;
  }

  /** The last entry that was committed by a leader of a term before `term`. */
  lastBefore(term: Term): EntryId {
    let index = this.lastIndex;
    while (index > 0 && this.committedIn(index) >= term) index--;
    return { term: this.entryAt(index)?.term ?? 0, index };
  }

  /** `entry` is the next, committed in `term`. Returns where its command was before, if anywhere. */
  append(entry: Entry, term: Term): LogIndex | null {
    this.#committedIn.push(term);
    this.#hashes.push(nextHash(this.hashAt(this.lastIndex), entry, this.#payloads));
    this.#entries.push(entry);
    const command = this.#payloads.commandOf(entry);
    if (command === null) return null;
    const before = this.indexOf(command);
    this.#indexOf.set(command, entry.index);
    return before;
  }
}

/**
 * How many of `nodes` hold the entry on disk, in their log or under their snapshot. Those that lost theirs
 * may have held it, and count until they say that they have regained everything.
 */
export function copiesOnDisk(nodes: readonly SimulatedNode[], entry: EntryId): number {
  return nodes.filter((node) => node.lacksMemory || node.durable.covers(entry)).length;
}
