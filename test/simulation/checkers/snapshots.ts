/**
 * A snapshot is the state and the configuration after its last entry, it replaces only what it stands
 * for, and nothing leaves a log that no snapshot stands for (Raft §7).
 */

import type { Persist } from "../../../src/raft/ready.ts";
import type { LogIndex } from "../../../src/raft/types.ts";
import { type AppliedState, fromSnapshot } from "../applied-state.ts";
import { describeId } from "../describe.ts";
import type { SimulatedNode } from "../node.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";
import type { Ledger } from "./ledger.ts";

export class Snapshots implements Checker {
  readonly #ledger: Ledger;
  readonly #holdHashes: boolean;

  /** `holdHashes`: a snapshot tells by a hash which state it is; if not, others must look into it. */
  constructor(ledger: Ledger, { holdHashes }: { readonly holdHashes: boolean }) {
    this.#ledger = ledger;
    this.#holdHashes = holdHashes;
  }

  snapshotTaken(node: SimulatedNode, state: AppliedState): void {
    this.#check(node, state, "takes");
    if (state.index <= node.saved.index) return;
    throw broken(
      `${node.id} takes a snapshot of ${state.index}, and may not know it after a crash`,
    );
  }

  snapshotDelivered(node: SimulatedNode, state: AppliedState): void {
    this.#check(node, state, "delivers");
  }

  writing(node: SimulatedNode, { snapshot }: Persist): void {
    if (snapshot === null) return;
    this.#check(node, fromSnapshot(snapshot), "installs");
    if (node.written.covers(snapshot.last)) {
      const what = `${node.id} replaces a log that holds ${describeId(snapshot.last)}`;
      throw broken(`${what} by a snapshot of it`);
    }
  }

  compacting(node: SimulatedNode, through: LogIndex): void {
    const { snapshotLast } = node.durable;
    if (through <= snapshotLast.index) return;
    throw broken(`${node.id} removes ${through}, and its snapshot ends at ${snapshotLast.index}`);
  }

  #check(node: SimulatedNode, state: AppliedState, does: string): void {
    const { index, term, hash, configurationIndex } = state;
    const what = `${node.id} ${does} a snapshot of ${describeId(state)}`;
    if (this.#ledger.entryAt(index)?.term !== term) throw broken(`${what}, which is not committed`);
    if (this.#holdHashes && this.#ledger.hashAt(index) !== hash) {
      throw broken(`${what} with another state`);
    }
    let inForce = index;
    while (inForce > 1 && this.#ledger.entryAt(inForce)?.kind !== "configuration") inForce--;
    if (inForce === configurationIndex) return;
    throw broken(`${what} with the configuration of ${configurationIndex}, not of ${inForce}`);
  }
}

function broken(what: string): Violation {
  return new Violation("snapshots stand for the log", what);
}
