/** What the simulated clusters went through: a simulator that never elects anybody finds nothing. */

import { applyWindowMaxBytes } from "../../src/base/limits.ts";
import type { ProposalOutcome } from "../../src/consensus/driver.ts";
import type { RaftEvent } from "../../src/raft/event.ts";
import type { Message } from "../../src/raft/message.ts";
import type { ReadAnswer } from "../../src/raft/ready.ts";
import type { Checker } from "./checkers/checker.ts";
import type { Disturbance } from "./disturbance.ts";
import type { SimulatedNode } from "./node.ts";

export class Coverage implements Checker {
  readonly #counts = new Map<string, number>();
  #isCalm = false;

  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  add(other: ReadonlyMap<string, number>): void {
    for (const [what, count] of other) this.#count(what, count);
  }

  started(): void {
    this.#count("started");
  }

  ended(): void {
    this.#count("died");
  }

  wiped(): void {
    this.#count("wiped");
  }

  /** Trouble that the calm leaves to some does not stand for what the faults of the chaos are to do. */
  disturbed(what: Disturbance): void {
    this.#count(this.#isCalm ? `${what} in the calm` : what);
  }

  calmed(): void {
    this.#isCalm = true;
  }

  judge(): void {
    this.#isCalm = false;
  }

  receiving(_node: SimulatedNode, message: Message): void {
    this.#count(message.kind);
  }

  delivered(node: SimulatedNode): void {
    const heldBytes = node.life?.host.heldBytes ?? 0;
    if (heldBytes >= applyWindowMaxBytes) this.#count("window full");
  }

  compacting(): void {
    this.#count("compacted");
  }

  snapshotDelivered(): void {
    this.#count("snapshotDelivered");
  }

  proposalAnswered(_node: SimulatedNode, _id: number, outcome: ProposalOutcome): void {
    this.#count(`proposal ${outcome.kind}`);
  }

  readAnswered(_node: SimulatedNode, answer: ReadAnswer): void {
    this.#count(`read ${answer.kind}`);
  }

  localReadBegan(_node: SimulatedNode, kind: "lease" | "stale"): void {
    this.#count(`read ${kind}`);
  }

  happened(_node: SimulatedNode, event: RaftEvent): void {
    const detail = event.kind === "transferEnded" ? ` ${event.outcome}` : "";
    this.#count(event.kind + detail);
  }

  #count(what: string, by = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + by);
  }
}
