/** P3: a log has one entry for each command, and one for each term; no barriers, no no-ops in between. */

import type { Persist } from "../../../src/raft/ready.ts";
import type { LogIndex, Term } from "../../../src/raft/types.ts";
import { describeId } from "../describe.ts";
import type { SimulatedNode } from "../node.ts";
import type { CommandId, Payloads } from "../payloads.ts";
import type { Plan } from "../plan.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

export class OneEntryABlock implements Checker {
  readonly #isAlone: boolean;
  readonly #payloads: Payloads;
  readonly #firstOfTerm = new Map<Term, LogIndex>();
  readonly #placeOf = new Map<CommandId, string>();

  constructor({ clusterSize }: Plan, payloads: Payloads) {
    this.#isAlone = clusterSize === 1;
    this.#payloads = payloads;
  }

  /** A cluster of one tells nobody what it writes: what a crash takes was never there. */
  ended(): void {
    if (!this.#isAlone) return;
    this.#firstOfTerm.clear();
    this.#placeOf.clear();
  }

  writing(node: SimulatedNode, { entries }: Persist): void {
    for (const entry of entries) {
      const command = this.#payloads.commandOf(entry);
      const place = describeId(entry);
      if (command !== null) {
        const known = this.#placeOf.get(command);
        if (known === undefined) this.#placeOf.set(command, place);
        else if (known !== place) {
          const what = `${node.id} writes command ${command} at ${place}, and it stands at ${known}`;
          throw new Violation("one entry a block", what);
        }
        continue;
      }
      const known = this.#firstOfTerm.get(entry.term);
      if (known === undefined) this.#firstOfTerm.set(entry.term, entry.index);
      else if (known !== entry.index) {
        const what = `${node.id} writes ${entry.kind} ${place}, a second one of its term`;
        throw new Violation("one entry a block", what);
      }
    }
  }
}
