/**
 * What stands between the pure core and the world: it feeds the core, makes its Readies durable,
 * sends what may be sent, and hands committed entries on. The same driver runs on the consensus
 * thread and in the simulator; it is synchronous, and its dependencies call back.
 *
 *   wire, main thread, clock ---> step ---> Ready ---> disk ---> persisted ---> step ...
 *                                            |  \                  |
 *                                            |   +--> messages that promise nothing, at once
 *                                            |                     +--> the others
 *                                            +--> committed entries, as many as the host has room for
 */

import { RaftCore } from "../raft/core.ts";
import type { RaftEvent } from "../raft/event.ts";
import type { Message } from "../raft/message.ts";
import type {
  Command,
  Persist,
  RaftInput,
  ReadAnswer,
  Ready,
  RpcFailure,
  StoredState,
} from "../raft/ready.ts";
import type { RaftDependencies, RaftOptions } from "../raft/server.ts";
import type { RaftStatus } from "../raft/status.ts";
import type { Entry, LogIndex, Readiness, ServerId, Snapshot, Term } from "../raft/types.ts";
import type { Shortage } from "../storage/disk.ts";
import type { SlowDisk } from "../storage/disk-watch.ts";
import { Delivery } from "./delivery.ts";
import { Durability } from "./durability.ts";
import { Snapshotter, type SnapshotterOptions, type StateSnapshot } from "./snapshotter.ts";

export interface Clock {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** Calls back once at or after `atMs`. */
  at(atMs: number, callback: () => void): void;
  /** Calls back soon, after what is already waiting has been taken in. */
  soon(callback: () => void): void;
}

/** Where a Ready's writes go. */
export interface DriverStore extends StoredState {
  /** Calls back in the order of the calls, once everything is on disk. A failure is final. */
  persist(persist: Persist, done: StoreDone): void;
  /** What a snapshot of this size would need, and does not find, on the disk; null if there is room for it. */
  shortageFor(snapshotBytes: number): Shortage | null;
  /** Keeps a snapshot of the own state machine. The log stays as it is. */
  saveSnapshot(snapshot: Snapshot, done: StoreDone): void;
  /** Takes the entries up to `index`, which a snapshot covers, out of the log: for readers at once. */
  compactThrough(index: LogIndex, done: StoreDone): void;
}

type StoreDone = (error: Error | null) => void;

export type ProposalOutcome =
  | { readonly kind: "committed"; readonly index: LogIndex; readonly term: Term }
  /** Another entry was committed in its place; or a snapshot was, and nobody can tell. */
  | { readonly kind: "lost" }
  | { readonly kind: "notLeader"; readonly leaderId: ServerId | null }
  | { readonly kind: "unavailable"; readonly reason: string };

/** What changes rarely, and is to be heard of when it does. */
export interface RoleReport {
  readonly role: RaftStatus["role"];
  readonly term: Term;
  readonly leaderId: ServerId | null;
  /** The log up to `commitIndex` is committed, and this server has joined the leader's log, or leads. */
  readonly hasJoined: boolean;
  /** It has lost its disk, and neither votes nor leads until its log is regained (P6). */
  readonly isRecovering: boolean;
  readonly commitIndex: LogIndex;
}

export interface DriverHost {
  send(message: Message): void;
  /** In log order, without gaps; `applied` gives the room back. */
  committed(entries: readonly Entry[], commitIndex: LogIndex): void;
  /** The entries that come next were compacted away; this stands for them. */
  snapshot(snapshot: Snapshot): void;
  /** Asks for the state machine as of an entry that is durably applied; the answer is `snapshotTaken`. */
  snapshotWanted(): void;
  proposal(proposalId: number, outcome: ProposalOutcome): void;
  read(answer: ReadAnswer): void;
  role(report: RoleReport): void;
  events(events: readonly RaftEvent[]): void;
  /** Until when the lease holds, by the clock; -Infinity without one. */
  lease(term: Term, untilMs: number): void;
  sample(name: "fsync" | "commit", seconds: number): void;
  /** The disk failed or an invariant broke: the driver has stopped for good. */
  failed(error: Error): void;
}

/** A command of ours in the log, of which it is not known yet whether it stays there. */
interface Proposal {
  readonly proposalId: number;
  readonly index: LogIndex;
  readonly term: Term;
  readonly proposedMs: number;
}

export class Driver {
  readonly #core: RaftCore;
  readonly #clock: Clock;
  readonly #store: DriverStore;
  readonly #host: DriverHost;

  readonly #inputs: RaftInput[] = [];
  #isStepping = false;
  #isStopped = false;
  /** When the core wants a tick, as it said last. */
  #deadlineMs = Number.POSITIVE_INFINITY;
  /** When a timer is due: at the deadline or before it. */
  #armedMs = Number.POSITIVE_INFINITY;

  readonly #durability: Durability;
  /** As the host says; a slow disk makes this node unready besides. */
  #readiness: Readiness = { isReady: true, appliedHeight: 0, priority: 0 };

  #commands: { readonly term: Term; readonly command: Command; readonly proposedMs: number }[] = [];
  #proposals: Proposal[] = [];
  readonly #proposedMs = new Map<number, number>();

  #report: RoleReport | null = null;
  readonly #delivery: Delivery;
  readonly #snapshotter: Snapshotter;

  /** `appliedIndex`: what the host has applied already, and durably knows. */
  constructor(
    options: RaftOptions & SnapshotterOptions & { readonly appliedIndex: LogIndex },
    dependencies: RaftDependencies & {
      readonly clock: Clock;
      readonly store: DriverStore;
      readonly host: DriverHost;
    },
  ) {
    this.#clock = dependencies.clock;
    this.#store = dependencies.store;
    this.#host = dependencies.host;
    this.#core = new RaftCore(options, dependencies, dependencies.store, this.#clock.now());
    this.#durability = this.#createDurability(options);
    this.#delivery = this.#createDelivery(options);
    this.#snapshotter = this.#createSnapshotter(options);
  }

  get status(): RaftStatus {
    return this.#core.status;
  }

  /** How slow its disk is, if it is too slow to lead with. */
  get slowDisk(): SlowDisk | null {
    return this.#durability.slowDisk;
  }

  start(): void {
    this.#input({ kind: "tick" });
  }

  /** Nothing is taken in, sent or delivered any more. What is being written may still reach the disk. */
  stop(): void {
    this.#isStopped = true;
  }

  receive(message: Message): void {
    this.#input({ kind: "message", message });
  }

  rpcFailed(request: RpcFailure): void {
    this.#input({ kind: "rpcFailed", request });
  }

  processGone(peerId: ServerId): void {
    this.#input({ kind: "processGone", peerId });
  }

  /** Proposals that wait together share one AppendEntries and one fsync (group commit). */
  propose(term: Term, command: Command): void {
    if (this.#commands.length === 0) this.#clock.soon(() => this.#flushCommands());
    this.#commands.push({ term, command, proposedMs: this.#clock.now() });
  }

  setReadiness(readiness: Readiness): void {
    this.#readiness = readiness;
    const isReady = readiness.isReady && this.slowDisk === null;
    this.#input({ kind: "readiness", readiness: { ...readiness, isReady } });
  }

  transferLeadership(targetId: ServerId | null): void {
    this.#input({ kind: "transferLeadership", targetId });
  }

  confirmLeadership(readId: number): void {
    this.#input({ kind: "confirmLeadership", readId });
  }

  /** The host has applied everything up to `index`: there is room for more (P8). */
  applied(index: LogIndex): void {
    this.#guard(() => {
      this.#delivery.applied(index);
      this.#delivery.deliver();
      this.#snapshotter.applied(index);
    });
  }

  /** The answer to `snapshotWanted`: null if the host has none to give now. */
  snapshotTaken(snapshot: StateSnapshot | null): void {
    this.#guard(() => this.#snapshotter.taken(snapshot));
  }

  #createDurability(options: RaftOptions): Durability {
    return new Durability(options, {
      now: () => this.#clock.now(),
      at: (atMs, callback) => this.#clock.at(atMs, () => this.#guard(callback)),
      write: (persist, done) => this.#store.persist(persist, this.#stored(done)),
      send: (message) => this.#host.send(message),
      persisted: (sequence, tookMs) => {
        this.#input({ kind: "persisted", sequence });
        this.#host.sample("fsync", tookMs / 1000);
      },
      isLeading: () => this.#core.role === "leader",
      changed: (slow) => {
        this.#host.events([slow === null ? { kind: "diskWell" } : { kind: "diskSlow", ...slow }]);
        this.setReadiness(this.#readiness);
      },
    });
  }

  #createDelivery({ appliedIndex }: { readonly appliedIndex: LogIndex }): Delivery {
    return new Delivery(appliedIndex, {
      core: this.#core,
      isStopped: () => this.#isStopped,
      committed: (entries, commitIndex) => this.#host.committed(entries, commitIndex),
      snapshot: (snapshot) => this.#host.snapshot(snapshot),
    });
  }

  #createSnapshotter(
    options: SnapshotterOptions & { readonly appliedIndex: LogIndex },
  ): Snapshotter {
    return new Snapshotter(options, {
      core: this.#core,
      now: () => this.#clock.now(),
      afterMs: (delayMs, callback) =>
        this.#clock.at(this.#clock.now() + delayMs, () => this.#guard(callback)),
      want: () => this.#host.snapshotWanted(),
      shortageFor: (sizeBytes) => this.#store.shortageFor(sizeBytes),
      save: (snapshot, done) => this.#store.saveSnapshot(snapshot, this.#stored(done)),
      compactThrough: (index, done) => this.#store.compactThrough(index, this.#stored(done)),
      emit: (event) => this.#host.events([event]),
    });
  }

  /** What comes back from the disk: its failure is final. */
  #stored(done: () => void): StoreDone {
    return (error) => (error === null ? this.#guard(done) : this.#fail(error));
  }

  #flushCommands(): void {
    const waiting = this.#commands;
    this.#commands = [];
    for (const { command, proposedMs } of waiting) {
      this.#proposedMs.set(command.proposalId, proposedMs);
    }
    for (const term of new Set(waiting.map((proposal) => proposal.term))) {
      const commands = waiting.filter((p) => p.term === term).map((p) => p.command);
      this.#input({ kind: "propose", term, commands });
    }
  }

  #input(input: RaftInput): void {
    if (this.#isStopped) return;
    this.#inputs.push(input);
    if (this.#isStepping) return;
    this.#isStepping = true;
    this.#guard(() => {
      for (;;) {
        const next = this.#inputs.shift();
        if (next === undefined || this.#isStopped) break;
        this.#carryOut(this.#core.step(next, this.#clock.now()));
      }
    });
    this.#isStepping = false;
  }

  #carryOut(ready: Ready): void {
    // What need not wait for the disk goes first: the followers' writes are what a commit waits for longest.
    for (const outbound of ready.send) this.#durability.send(outbound);
    if (ready.persist !== null) this.#durability.persist(ready.persist);
    if (ready.events.length > 0) this.#host.events(ready.events);
    for (const answer of ready.proposals) {
      if (answer.kind === "appended") {
        const { proposalId, index, term } = answer;
        const proposedMs = this.#proposedMs.get(proposalId) ?? this.#clock.now();
        this.#proposals.push({ proposalId, index, term, proposedMs });
      } else {
        this.#host.proposal(answer.proposalId, answer);
      }
      this.#proposedMs.delete(answer.proposalId);
    }
    for (const answer of ready.reads) this.#host.read(answer);
    this.#host.lease(this.#core.currentTerm, this.#core.leaseUntilMs);
    this.#reportRole();
    this.#settleProposals(ready.commitIndex);
    this.#delivery.deliver();
    this.#deadlineMs = ready.deadlineMs;
    this.#arm();
  }

  /**
   * Answers what the commit index has passed, and not before: an entry that was truncated here may be
   * on other disks, and one of them may yet lead and commit it.
   */
  #settleProposals(commitIndex: LogIndex): void {
    if (this.#proposals.every(({ index }) => index > commitIndex)) return;
    const settled = this.#proposals.filter(({ index }) => index <= commitIndex);
    this.#proposals = this.#proposals.filter(({ index }) => index > commitIndex);
    for (const { proposalId, index, term, proposedMs } of settled) {
      const isCommitted = this.#core.termAt(index) === term;
      if (isCommitted) this.#host.sample("commit", (this.#clock.now() - proposedMs) / 1000);
      const outcome: ProposalOutcome = isCommitted
        ? { kind: "committed", index, term }
        : { kind: "lost" };
      this.#host.proposal(proposalId, outcome);
    }
  }

  #reportRole(): void {
    const { role, currentTerm: term, leaderId, hasJoined, isRecovering, commitIndex } = this.#core;
    const last = this.#report;
    if (
      last?.role === role &&
      last.term === term &&
      last.leaderId === leaderId &&
      last.hasJoined === hasJoined &&
      last.isRecovering === isRecovering
    ) {
      return;
    }
    this.#report = { role, term, leaderId, hasJoined, isRecovering, commitIndex };
    this.#host.role(this.#report);
  }

  #arm(): void {
    const atMs = this.#deadlineMs;
    if (atMs >= this.#armedMs) return;
    this.#armedMs = atMs;
    this.#clock.at(atMs, () => {
      // An earlier deadline may have come up since; its own timer has then taken this one's place.
      if (this.#armedMs !== atMs || this.#isStopped) return;
      this.#armedMs = Number.POSITIVE_INFINITY;
      // Most deadlines move on before they come, a commit notice's with each proposal: no step for those.
      if (this.#deadlineMs > this.#clock.now()) this.#arm();
      else this.#input({ kind: "tick" });
    });
  }

  #guard(work: () => void): void {
    if (this.#isStopped) return;
    try {
      work();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(error: Error): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#host.failed(error);
  }
}
