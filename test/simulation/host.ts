/** What the driver talks to in a simulated process: the network, and an executor that takes its time. */

import type { DriverHost, ProposalOutcome, RoleReport } from "../../src/consensus/driver.ts";
import type { RaftEvent } from "../../src/raft/event.ts";
import { payloadBytes } from "../../src/raft/log.ts";
import type { Message } from "../../src/raft/message.ts";
import type { ReadAnswer } from "../../src/raft/ready.ts";
import type { Entry, LogIndex, ServerId, Snapshot, Term } from "../../src/raft/types.ts";
import { StorageError } from "../../src/storage/errors.ts";
import { type AppliedState, applyEntry, fromSnapshot, stateSnapshot } from "./applied-state.ts";
import { describeEntries, describeMessage } from "./describe.ts";
import { codec, type Life } from "./life.ts";
import type { Network } from "./network.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

type Work =
  | { readonly kind: "entries"; readonly entries: readonly Entry[] }
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot };

/** Entries executed between two events; a batch that came at once is given back bit by bit. */
const entriesPerTurn = 4;

export class SimulatedHost implements DriverHost {
  protected readonly life: Life;
  readonly #network: Network;
  readonly #world: World;
  readonly #work: Work[] = [];
  #isWorking = false;
  #applied: AppliedState;
  /** Delivered and not applied. */
  #heldBytes = 0;
  /** The last report; null before the first. */
  report: RoleReport | null = null;
  leaseTerm: Term = 0;
  leaseUntilMs = Number.NEGATIVE_INFINITY;

  constructor(life: Life, network: Network, world: World) {
    this.life = life;
    this.#network = network;
    this.#world = world;
    this.#applied = life.node.saved;
  }

  get nodeId(): ServerId {
    return this.life.nodeId;
  }

  /** Whether it says itself when it is fit to lead; if not, faults do. */
  get judgesReadiness(): boolean {
    return false;
  }

  /** Of its chain; no state here is a chain, and outlives its log. */
  get firstHeight(): number {
    return Number.POSITIVE_INFINITY;
  }

  get applied(): AppliedState {
    return this.#applied;
  }

  get appliedIndex(): LogIndex {
    return this.#applied.index;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether it trusts, right now, that nobody else leads. */
  get hasLease(): boolean {
    return this.life.clock.now() < this.leaseUntilMs;
  }

  /** Takes in something from outside, unless the process is no more. */
  run(event: () => void): void {
    this.life.run("io", event);
  }

  started(): void {}

  /** Up to where the log that begins is executed, durably. */
  appliedAtBegin(_baseHeight: number): LogIndex {
    return this.life.node.saved.index;
  }

  begun(_appliedIndex: LogIndex, _baseHeight: number): void {}

  /** The process has died. */
  ended(): void {}

  send(message: Message): void {
    if (!this.life.reach()) return;
    const { transcript, checkers } = this.#world;
    const { node } = this.life;
    transcript.note(node.id, () => `-> ${message.to} ${describeMessage(message)}`);
    checkers.sending(node, message, this.#network.requestOf(this.life, message.id));
    this.#network.send(this.life, message);
  }

  committed(entries: readonly Entry[], commitIndex: LogIndex): void {
    if (!this.life.reach()) return;
    const { transcript, checkers } = this.#world;
    const { node } = this.life;
    transcript.note(node.id, () => `committed ${describeEntries(entries)} of ${commitIndex}`);
    this.#heldBytes += bytesOf(entries);
    checkers.delivered(node, entries);
    this.take(entries, commitIndex);
  }

  snapshot(snapshot: Snapshot): void {
    if (!this.life.reach()) return;
    const { transcript, checkers } = this.#world;
    const { node } = this.life;
    transcript.note(node.id, () => `snapshot delivered, ${snapshot.last.index}`);
    checkers.snapshotDelivered(node, fromSnapshot(snapshot));
    this.takeSnapshot(snapshot);
  }

  /** Answered after a while, as of what is durable then, if there is anything. */
  snapshotWanted(): void {
    if (!this.life.reach()) return;
    const { schedule, conditions, plan } = this.#world;
    const { dice } = this.life.node;
    const { low, high } = conditions.host.flushMs;
    schedule.after(dice.between(low, high), () => {
      this.life.run("io", () => {
        const { saved } = this.life.node;
        const hasNone = saved.index === 0 || dice.chance(0.1);
        this.life.driver?.snapshotTaken(hasNone ? null : stateSnapshot(saved, plan.snapshotBytes));
      });
    });
  }

  proposal(proposalId: number, outcome: ProposalOutcome): void {
    if (!this.life.reach()) return;
    const { transcript, checkers } = this.#world;
    transcript.note(this.life.node.id, () => `proposal ${proposalId}: ${outcome.kind}`);
    checkers.proposalAnswered(this.life.node, proposalId, outcome);
  }

  read(answer: ReadAnswer): void {
    if (!this.life.reach()) return;
    const { transcript, checkers } = this.#world;
    transcript.note(this.life.node.id, () => `read ${answer.readId}: ${answer.kind}`);
    checkers.readAnswered(this.life.node, answer);
  }

  role(report: RoleReport): void {
    if (!this.life.reach()) return;
    this.report = report;
  }

  events(events: readonly RaftEvent[]): void {
    if (!this.life.reach()) return;
    const { transcript, checkers } = this.#world;
    for (const event of events) {
      transcript.note(this.life.node.id, () => `* ${JSON.stringify(event)}`);
      checkers.happened(this.life.node, event);
    }
  }

  lease(term: Term, untilMs: number): void {
    this.leaseTerm = term;
    this.leaseUntilMs = untilMs;
  }

  sample(): void {}

  /** A broken disk ends the process, as it would end a node; anything else is what we look for. */
  failed(error: Error): void {
    if (error instanceof StorageError) {
      this.#world.transcript.note(this.life.node.id, () => `fails: ${error.message}`);
      return this.life.dieAtCall(0);
    }
    this.#world.violation ??=
      error instanceof Violation
        ? error
        : new Violation("no invariant broken", error.stack ?? error.message, { cause: error });
  }

  protected take(entries: readonly Entry[], _commitIndex: LogIndex): void {
    for (let at = 0; at < entries.length; at += entriesPerTurn) {
      this.#enqueue({ kind: "entries", entries: entries.slice(at, at + entriesPerTurn) });
    }
  }

  protected takeSnapshot(snapshot: Snapshot): void {
    this.#enqueue({ kind: "snapshot", snapshot });
  }

  /** So much of what was delivered is executed. */
  protected release(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  #enqueue(work: Work): void {
    this.#work.push(work);
    if (!this.#isWorking) this.#next();
  }

  #next(): void {
    const work = this.#work.shift();
    this.#isWorking = work !== undefined;
    if (work === undefined) return;
    const { schedule, conditions } = this.#world;
    const { dice } = this.life.node;
    const { low, high } = conditions.host.applyMs;
    const count = work.kind === "entries" ? work.entries.length : 1;
    schedule.after(count * dice.between(low, high), () => {
      this.life.run("io", () => this.#apply(work));
    });
  }

  #apply(work: Work): void {
    if (work.kind === "snapshot") this.#applied = fromSnapshot(work.snapshot);
    else {
      for (const entry of work.entries) {
        this.#applied = this.execute(this.#applied, entry);
      }
      this.release(bytesOf(work.entries));
    }
    this.#saveLater(this.#applied);
    this.life.driver?.applied(this.#applied.index);
    this.#next();
  }

  protected execute(state: AppliedState, entry: Entry): AppliedState {
    return applyEntry(state, entry, this.#world.payloads, codec.decode);
  }

  /** The executed state becomes durable some time later; the log is needed until then. */
  #saveLater(state: AppliedState): void {
    const { schedule, conditions } = this.#world;
    const { dice } = this.life.node;
    const { low, high } = conditions.host.flushMs;
    schedule.after(dice.between(low, high), () => {
      this.life.run("io", () => {
        const { node } = this.life;
        if (state.index > node.saved.index) node.saved = state;
      });
    });
  }
}

function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + payloadBytes(entry), 0);
}
