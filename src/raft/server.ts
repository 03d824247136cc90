/**
 * The state of one Raft server (Fig. 2), its role, and what the current step has produced so far.
 * The role modules read and change it; `RaftCore` turns it into a Ready.
 */

import { assert } from "../base/assert.ts";
import type { Random } from "../base/random.ts";
import type { RaftEvent } from "./event.ts";
import type { Leadership } from "./leadership.ts";
import { RaftLog } from "./log.ts";
import { type ConfigurationCodec, Membership, suffrageOf } from "./membership.ts";
import type { Message } from "./message.ts";
import type {
  OutboundMessage,
  Persist,
  PersistSequence,
  ProposalAnswer,
  ReadAnswer,
  StoredState,
} from "./ready.ts";
import type {
  Entry,
  HardState,
  LogIndex,
  Origin,
  Readiness,
  ServerId,
  Snapshot,
  Term,
} from "./types.ts";

export interface RaftOptions {
  readonly id: ServerId;
  /** The follower's, randomised 1-2x: how long a silent leader is believed in (hashicorp). */
  readonly heartbeatTimeoutMs: number;
  /** The candidate's, randomised 1-2x: how long an unanswered campaign lasts (hashicorp). */
  readonly electionTimeoutMs: number;
  /** A leader that no majority has answered for so long must not trust its lease. */
  readonly leaderLeaseTimeoutMs: number;
  /** How long a new commit index waits for an entry to carry it to an idle follower; 0 if absent. */
  readonly commitNoticeDelayMs?: number;
  /** An unready leader that was given nothing for so long builds no blocks; a minute if absent. */
  readonly standstillMs?: number;
  /** For how long a leader may replicate nothing though a majority hears it; `replicationStallMinMs` if absent. */
  readonly replicationStallMs?: number;
}

export interface RaftDependencies {
  readonly random: Random;
  readonly codec: ConfigurationCodec;
  /** Where peers reach a server, from local configuration; null if that is not known. */
  readonly addressOf: (id: ServerId) => string | null;
}

/**
 *              silence of the leader             majority of pre-votes
 *   follower ------------------------> preCandidate ------------> candidate
 *      ^  ^                                 |                         | majority of votes
 *      |  +---------------------------------+                         v
 *      +----------- newer term, a leader, or no majority ---------- leader
 */
export type Role =
  | { readonly kind: "follower"; electionDeadlineMs: number }
  | (Ballot & { readonly kind: "preCandidate"; readonly sinceMs: number; deadlineMs: number })
  | Candidate
  | { readonly kind: "leader"; readonly leadership: Leadership };

export interface Ballot {
  readonly granted: Set<ServerId>;
  readonly refused: Set<ServerId>;
}

export interface Candidate extends Ballot {
  readonly kind: "candidate";
  readonly isTransfer: boolean;
  /** Answers to older requests do not count. */
  readonly firstRequestId: number;
  /** null while nobody is asked before this server's own vote is on disk: nothing counts until then. */
  deadlineMs: number | null;
}

/** The leader that a follower believes in. */
export interface KnownLeader {
  readonly id: ServerId;
  /** Set once this log is known to match its log: the server has really joined. */
  joined: boolean;
}

/** Bit sets of 2^-10 ms: stamps of one millisecond can still be told apart. */
const stampStepMs = 1 / 1024;

export class RaftServer {
  readonly options: RaftOptions;
  readonly dependencies: RaftDependencies;
  readonly log: RaftLog;
  readonly membership: Membership;
  currentTerm: Term;
  votedFor: ServerId | null;
  /** When it voted, in this life; long ago at its start. */
  votedMs = Number.NEGATIVE_INFINITY;
  /** For whose pre-vote it last ended its own campaign, and the term that was asked for. */
  readonly gaveWay = new Map<ServerId, Term>();
  origin: Origin;
  commitIndex: LogIndex;
  role: Role;
  leader: KnownLeader | null = null;
  /** When a leader was last heard, whatever happened since. */
  leaderContactMs: number;
  /** What it was last told of itself; what others are told is `readiness`. */
  ownReadiness: Readiness = { isReady: true, appliedHeight: 0, priority: 0 };
  /** It led and nothing that it sent was stored: until then it stands back, as one that is not ready. */
  stalledUntilMs = Number.NEGATIVE_INFINITY;
  /** How often it has led and tried to hand over, since it last led as it should (P5). */
  handOversTried = 0;
  nowMs: number;
  /** When it last took something in after it had not for long, though it follows a leader; long ago at its start. */
  awokeMs = Number.NEGATIVE_INFINITY;

  #stamp = 0;
  #messageId = 0;
  #sequence: PersistSequence = 0;
  #durableSequence: PersistSequence = 0;
  #hardStateSequence: PersistSequence = 0;
  #logSequence: PersistSequence = 0;
  #persist: Mutable<Persist> | null = null;
  #send: OutboundMessage[] = [];
  #events: RaftEvent[] = [];
  #proposals: ProposalAnswer[] = [];
  #reads: ReadAnswer[] = [];

  constructor(
    options: RaftOptions,
    dependencies: RaftDependencies,
    stored: StoredState,
    nowMs: number,
  ) {
    const { leaderLeaseTimeoutMs: lease, heartbeatTimeoutMs, electionTimeoutMs } = options;
    assert(lease <= heartbeatTimeoutMs, "lease <= heartbeat timeout", { ...options });
    assert(heartbeatTimeoutMs <= electionTimeoutMs, "heartbeat <= election timeout", {
      ...options,
    });
    this.options = options;
    this.dependencies = dependencies;
    this.log = new RaftLog(stored.log);
    this.membership = new Membership(
      dependencies.codec,
      stored.log.snapshot(),
      stored.log.configurationEntries(),
    );
    this.currentTerm = stored.hardState.currentTerm;
    this.votedFor = stored.hardState.votedFor;
    this.origin = stored.origin;
    this.commitIndex = this.log.snapshotLast.index;
    this.nowMs = nowMs;
    this.leaderContactMs = nowMs;
    this.role = { kind: "follower", electionDeadlineMs: nowMs };
  }

  get id(): ServerId {
    return this.options.id;
  }

  get voters(): readonly ServerId[] {
    return this.membership.voters;
  }

  get isVoter(): boolean {
    return suffrageOf(this.membership.latest, this.id) === "voter";
  }

  /** Whether it may vote and campaign: a voter that knows all it has promised (P6). */
  get hasVote(): boolean {
    return this.isVoter && this.origin.recovery === null;
  }

  /** Whether currentTerm and votedFor, as they are now, are on disk. */
  get isHardStateDurable(): boolean {
    return this.#hardStateSequence <= this.#durableSequence;
  }

  /** Whether the log, as it is now, is on disk. */
  get isLogDurable(): boolean {
    return this.#logSequence <= this.#durableSequence;
  }

  get peers(): readonly ServerId[] {
    return this.membership.latest.servers.map((s) => s.id).filter((id) => id !== this.id);
  }

  get hasStalled(): boolean {
    return this.nowMs < this.stalledUntilMs;
  }

  get readiness(): Readiness {
    return this.hasStalled ? { ...this.ownReadiness, isReady: false } : this.ownReadiness;
  }

  /** The leader as others are told: believed in only while it is heard. */
  get leaderId(): ServerId | null {
    if (this.role.kind === "leader") return this.id;
    const silentMs = this.nowMs - this.leaderContactMs;
    return silentMs < this.options.heartbeatTimeoutMs ? (this.leader?.id ?? null) : null;
  }

  /** Uniform in [`durationMs`, 2 x `durationMs`), hashicorp's spread. */
  spread(durationMs: number): number {
    return durationMs * (1 + this.dependencies.random());
  }

  /** The clock, but never the same twice: so that an answer tells which of two requests it is for. */
  nextStamp(): number {
    this.#stamp = Math.max(this.nowMs, this.#stamp + stampStepMs);
    return this.#stamp;
  }

  /** Of the requests that this server has numbered. */
  get lastMessageId(): number {
    return this.#messageId;
  }

  get lastStamp(): number {
    return this.#stamp;
  }

  // -- what the step produces -------------------------------------------------------------------

  emit(event: RaftEvent): void {
    this.#events.push(event);
  }

  /** Leaves with this Ready, before anything is durable: for messages that promise nothing. */
  sendNow(message: Unaddressed): void {
    this.#queue(message, 0);
  }

  /** Leaves once currentTerm and votedFor, as they are now, are durable. */
  sendAfterHardState(message: Unaddressed): void {
    this.#queue(message, this.#hardStateSequence);
  }

  /** Leaves once currentTerm, votedFor, the origin and the log, as they are now, are durable. */
  sendAfterLog(message: Unaddressed): void {
    this.#queue(message, Math.max(this.#hardStateSequence, this.#logSequence));
  }

  answerProposal(answer: ProposalAnswer): void {
    this.#proposals.push(answer);
  }

  answerRead(answer: ReadAnswer): void {
    this.#reads.push(answer);
  }

  // -- what is persisted ------------------------------------------------------------------------

  setHardState({ currentTerm, votedFor }: HardState): void {
    assert(currentTerm >= this.currentTerm, "currentTerm never goes back", { currentTerm });
    assert(
      currentTerm > this.currentTerm || this.votedFor === null || votedFor === this.votedFor,
      "a vote is never changed within its term",
      { currentTerm, votedFor },
    );
    if (currentTerm === this.currentTerm && votedFor === this.votedFor) return;
    this.currentTerm = currentTerm;
    this.votedFor = votedFor;
    if (votedFor !== null) this.votedMs = this.nowMs;
    const persist = this.#persisting();
    persist.hardState = { currentTerm, votedFor };
    this.#hardStateSequence = persist.sequence;
  }

  setOrigin(origin: Origin): void {
    this.origin = origin;
    const persist = this.#persisting();
    persist.origin = origin;
    // What an answer to a leader makes that forget must be known here after a crash.
    this.#logSequence = persist.sequence;
  }

  appendEntries(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const persist = this.#persisting();
    this.log.append(entries, persist.sequence);
    persist.entries = [...persist.entries, ...entries];
    this.#logSequence = persist.sequence;
    for (const entry of entries) {
      if (!this.membership.append(entry)) continue;
      const configuration = this.membership.latest;
      this.emit({ kind: "configurationChanged", index: entry.index, configuration });
    }
  }

  truncateFrom(index: LogIndex): void {
    assert(index > this.commitIndex, "a committed entry is never truncated", {
      index,
      commitIndex: this.commitIndex,
    });
    const persist = this.#persisting();
    assert(persist.entries.length === 0, "a step truncates before it appends");
    this.log.truncateFrom(index);
    this.membership.truncateFrom(index);
    persist.truncateFrom = index;
    this.#logSequence = persist.sequence;
  }

  installSnapshot(snapshot: Snapshot): void {
    const persist = this.#persisting();
    assert(persist.entries.length === 0, "a step installs before it appends");
    this.log.install(snapshot, persist.sequence);
    this.membership.install(snapshot);
    persist.snapshot = snapshot;
    persist.truncateFrom = null;
    this.#logSequence = persist.sequence;
    this.commitIndex = snapshot.last.index;
  }

  commitThrough(index: LogIndex): void {
    assert(index >= this.commitIndex, "commitIndex never goes back", { index });
    assert(index <= this.log.lastIndex, "what is committed is in the log", { index });
    this.commitIndex = index;
    this.membership.commitThrough(index);
  }

  persisted(sequence: PersistSequence): void {
    assert(sequence <= this.#sequence, "only what was handed out becomes durable", { sequence });
    this.#durableSequence = Math.max(this.#durableSequence, sequence);
    this.log.persisted(sequence);
  }

  /** Hands over what the step produced and begins anew. */
  takeOutput(): Output {
    const output: Output = {
      persist: this.#persist,
      send: this.#send,
      events: this.#events,
      proposals: this.#proposals,
      reads: this.#reads,
    };
    this.#persist = null;
    this.#send = [];
    this.#events = [];
    this.#proposals = [];
    this.#reads = [];
    return output;
  }

  #persisting(): Mutable<Persist> {
    if (this.#persist === null) {
      this.#sequence++;
      this.#persist = {
        sequence: this.#sequence,
        hardState: null,
        snapshot: null,
        truncateFrom: null,
        entries: [],
      };
    }
    return this.#persist;
  }

  #queue(message: Unaddressed, waitsFor: PersistSequence): void {
    const afterSequence = waitsFor > this.#durableSequence ? waitsFor : 0;
    const id = message.id ?? ++this.#messageId;
    this.#send.push({ message: { ...message, id, from: this.id } as Message, afterSequence });
  }
}

interface Output {
  readonly persist: Persist | null;
  readonly send: readonly OutboundMessage[];
  readonly events: readonly RaftEvent[];
  readonly proposals: readonly ProposalAnswer[];
  readonly reads: readonly ReadAnswer[];
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A message without what is the same for all: its sender, and for a request its number. */
type Unaddressed = Message extends infer M
  ? M extends Message
    ? Omit<M, "from" | "id"> & { readonly id?: number }
    : never
  : never;
