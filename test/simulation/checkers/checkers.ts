/** All checkers as one: each hook goes to those that watch it, in a fixed order. */

import type { ProposalOutcome } from "../../../src/consensus/driver.ts";
import type { RaftEvent } from "../../../src/raft/event.ts";
import type { Message, RequestMessage } from "../../../src/raft/message.ts";
import type { Persist, ReadAnswer } from "../../../src/raft/ready.ts";
import type { Entry, LogIndex, Term } from "../../../src/raft/types.ts";
import type { AppliedState } from "../applied-state.ts";
import type { Disturbance } from "../disturbance.ts";
import type { SimulatedNode } from "../node.ts";
import type { Checker } from "./checker.ts";

export class Checkers {
  readonly #checkers: Checker[] = [];
  /** Those that watch what happens most often. */
  #stepped: readonly Checker[] = [];
  #sending: readonly Checker[] = [];
  #receiving: readonly Checker[] = [];

  add(...checkers: readonly Checker[]): void {
    this.#checkers.push(...checkers);
    this.#stepped = this.#checkers.filter(({ stepped }) => stepped !== undefined);
    this.#sending = this.#checkers.filter(({ sending }) => sending !== undefined);
    this.#receiving = this.#checkers.filter(({ receiving }) => receiving !== undefined);
  }

  started(node: SimulatedNode): void {
    for (const checker of this.#checkers) checker.started?.(node);
  }

  begun(node: SimulatedNode, appliedIndex: LogIndex): void {
    for (const checker of this.#checkers) checker.begun?.(node, appliedIndex);
  }

  ended(node: SimulatedNode): void {
    for (const checker of this.#checkers) checker.ended?.(node);
  }

  wiped(node: SimulatedNode, losesState: boolean): void {
    for (const checker of this.#checkers) checker.wiped?.(node, losesState);
  }

  disturbed(what: Disturbance): void {
    for (const checker of this.#checkers) checker.disturbed?.(what);
  }

  writing(node: SimulatedNode, persist: Persist): void {
    for (const checker of this.#checkers) checker.writing?.(node, persist);
  }

  sending(node: SimulatedNode, message: Message, request: RequestMessage | null): void {
    for (const checker of this.#sending) checker.sending?.(node, message, request);
  }

  receiving(node: SimulatedNode, message: Message): void {
    for (const checker of this.#receiving) checker.receiving?.(node, message);
  }

  delivered(node: SimulatedNode, entries: readonly Entry[]): void {
    for (const checker of this.#checkers) checker.delivered?.(node, entries);
  }

  snapshotDelivered(node: SimulatedNode, state: AppliedState): void {
    for (const checker of this.#checkers) checker.snapshotDelivered?.(node, state);
  }

  snapshotTaken(node: SimulatedNode, state: AppliedState): void {
    for (const checker of this.#checkers) checker.snapshotTaken?.(node, state);
  }

  compacting(node: SimulatedNode, through: LogIndex): void {
    for (const checker of this.#checkers) checker.compacting?.(node, through);
  }

  proposed(node: SimulatedNode, proposalId: number, term: Term): void {
    for (const checker of this.#checkers) checker.proposed?.(node, proposalId, term);
  }

  proposalAnswered(node: SimulatedNode, proposalId: number, outcome: ProposalOutcome): void {
    for (const checker of this.#checkers) checker.proposalAnswered?.(node, proposalId, outcome);
  }

  readBegan(node: SimulatedNode, readId: number): void {
    for (const checker of this.#checkers) checker.readBegan?.(node, readId);
  }

  readAnswered(node: SimulatedNode, answer: ReadAnswer): void {
    for (const checker of this.#checkers) checker.readAnswered?.(node, answer);
  }

  localReadBegan(node: SimulatedNode, kind: "lease" | "stale"): void {
    for (const checker of this.#checkers) checker.localReadBegan?.(node, kind);
  }

  happened(node: SimulatedNode, event: RaftEvent): void {
    for (const checker of this.#checkers) checker.happened?.(node, event);
  }

  calmed(): void {
    for (const checker of this.#checkers) checker.calmed?.();
  }

  owedBy(node: SimulatedNode): string | null {
    for (const checker of this.#checkers) {
      const owed = checker.owedBy?.(node) ?? null;
      if (owed !== null) return owed;
    }
    return null;
  }

  judge(): void {
    for (const checker of this.#checkers) checker.judge?.();
  }

  stepped(node: SimulatedNode): void {
    const { status } = node;
    if (status === null) return;
    for (const checker of this.#stepped) checker.stepped?.(node, status);
  }
}
