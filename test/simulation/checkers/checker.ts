/** What a checker may watch. It throws a Violation; it changes nothing. */

import type { ProposalOutcome } from "../../../src/consensus/driver.ts";
import type { RaftEvent } from "../../../src/raft/event.ts";
import type { Message, RequestMessage } from "../../../src/raft/message.ts";
import type { Persist, ReadAnswer } from "../../../src/raft/ready.ts";
import type { RaftStatus } from "../../../src/raft/status.ts";
import type { Entry, LogIndex, Term } from "../../../src/raft/types.ts";
import type { AppliedState } from "../applied-state.ts";
import type { Disturbance } from "../disturbance.ts";
import type { SimulatedNode } from "../node.ts";

export interface Checker {
  started?(node: SimulatedNode): void;
  /** Its log is there, and it goes on from what it says to have applied of it. */
  begun?(node: SimulatedNode, appliedIndex: LogIndex): void;
  ended?(node: SimulatedNode): void;
  /** Its log is lost, and its promises with it; perhaps what it has executed, too. */
  wiped?(node: SimulatedNode, losesState: boolean): void;
  /** A fault has had an effect that no other hook tells of. */
  disturbed?(what: Disturbance): void;
  /** Before `node.written` shows it. */
  writing?(node: SimulatedNode, persist: Persist): void;
  /** `request`: what a response answers. */
  sending?(node: SimulatedNode, message: Message, request: RequestMessage | null): void;
  receiving?(node: SimulatedNode, message: Message): void;
  delivered?(node: SimulatedNode, entries: readonly Entry[]): void;
  snapshotDelivered?(node: SimulatedNode, state: AppliedState): void;
  /** Of the own state machine, on its way to the disk. */
  snapshotTaken?(node: SimulatedNode, state: AppliedState): void;
  /** Before `node.durable` shows it. */
  compacting?(node: SimulatedNode, through: LogIndex): void;
  proposed?(node: SimulatedNode, proposalId: number, term: Term): void;
  proposalAnswered?(node: SimulatedNode, proposalId: number, outcome: ProposalOutcome): void;
  readBegan?(node: SimulatedNode, readId: number): void;
  readAnswered?(node: SimulatedNode, answer: ReadAnswer): void;
  /** Of what the node has executed: at once, or once it has executed all that it knows to be committed. */
  localReadBegan?(node: SimulatedNode, kind: "lease" | "stale"): void;
  happened?(node: SimulatedNode, event: RaftEvent): void;
  /** Nothing new breaks from here on. */
  calmed?(): void;
  /** What this node, which is healthy, must still do before the calm is over; null if nothing. */
  owedBy?(node: SimulatedNode): string | null;
  /** A round has ended, with a calm in which all was to be settled. */
  judge?(): void;
  /** After each event that a process took in. */
  stepped?(node: SimulatedNode, status: RaftStatus): void;
}
