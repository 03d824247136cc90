/**
 * The start of a server, before its driver: one that has a log goes on with it; one with an empty disk asks
 * the others how it may begin (survey.ts), and answers their questions meanwhile. The same code runs on
 * the consensus thread and in the simulator.
 *
 *   empty disk --> ask, every half heartbeat timeout --> one durable write --> driver
 *                    ^                |
 *                    +---- wait <-----+      a crash in between begins again
 */

import { assert, unreachable } from "../base/assert.ts";
import { termLeapMax } from "../raft/contradiction.ts";
import type { RaftEvent } from "../raft/event.ts";
import { bootstrapEntry, type ConfigurationCodec, noConfiguration } from "../raft/membership.ts";
import type {
  AppendEntriesRequest,
  Message,
  RequestPreVoteResponse,
  ResponseMessage,
} from "../raft/message.ts";
import type { Persist, RpcFailure } from "../raft/ready.ts";
import type { RaftStatus } from "../raft/status.ts";
import type { HardState, Readiness, ServerId, Term } from "../raft/types.ts";
import type { Clock, DriverStore, RoleReport } from "./driver.ts";
import { Survey, type SurveyOutcome } from "./survey.ts";

export interface StartupOptions {
  readonly id: ServerId;
  readonly voters: readonly ServerId[];
  /** The members of the cluster that this server has been in. */
  readonly knownMembers: readonly ServerId[];
  readonly heartbeatTimeoutMs: number;
  readonly electionTimeoutMs: number;
  /** The height of the chain's first block. */
  readonly firstHeight: number;
  /** As the node is when it starts; its height does not change before its log begins. */
  readonly readiness: Readiness;
}

export interface StartupDependencies {
  readonly clock: Clock;
  readonly store: DriverStore & { readonly isEmpty: boolean };
  readonly codec: ConfigurationCodec;
  readonly send: (message: Message) => void;
  readonly onEvent: (event: RaftEvent) => void;
  /** The store holds what the driver goes on from; `waiting` came while that was written, and is the driver's to answer. */
  readonly onDone: (waiting: readonly Message[]) => void;
  readonly onFailed: (error: Error) => void;
}

/** A ballot lasts less than two election timeouts, by a clock that may differ from this one's. */
const settleElectionTimeouts = 4;
/** What is awaited is said at first when the survey has settled, and then so often. */
const tellEveryMs = 5_000;
/** Messages that wait for one write; a disk that stalls must not fill the memory. */
const waitingMax = 1_000;

export class Startup {
  readonly #options: StartupOptions;
  readonly #dependencies: StartupDependencies;
  readonly #survey: Survey;
  /** Open questions: when each was sent. A peer has one at a time. */
  readonly #asked = new Map<ServerId, { readonly id: number; readonly atMs: number }>();
  #messageId = 0;
  #tellAtMs: number;
  #waitsFor = "the other members are asked how this node, whose raft_dir is empty, may begin";
  #isOver = false;
  /** Came while the outcome is written: an answer now could contradict it. null while nothing is. */
  #waiting: Message[] | null = null;

  constructor(options: StartupOptions, dependencies: StartupDependencies) {
    const { id, voters, knownMembers, electionTimeoutMs, firstHeight, readiness } = options;
    const startedMs = dependencies.clock.now();
    const settleMs = settleElectionTimeouts * electionTimeoutMs;
    this.#options = options;
    this.#dependencies = dependencies;
    this.#tellAtMs = startedMs + settleMs;
    const height = readiness.appliedHeight;
    const survey = { id, voters, knownMembers, height, firstHeight, startedMs, settleMs };
    this.#survey = new Survey(survey);
  }

  /** Why there is no driver yet. */
  get waitsFor(): string {
    return this.#waitsFor;
  }

  begin(): void {
    const { store, onDone, onEvent } = this.#dependencies;
    if (!store.isEmpty) {
      this.#isOver = true;
      return onDone([]);
    }
    const { others } = this.#survey;
    if (others.length > 0) onEvent({ kind: "surveyBegan", peers: others });
    this.#ask();
  }

  stop(): void {
    this.#isOver = true;
  }

  /** Answers what is asked, and promises nothing: this server has no term, no vote and no log. */
  receive(message: Message): void {
    if (message.kind === "requestPreVoteResponse") {
      if (!this.#isOver) this.#heard(message);
      return;
    }
    if (message.kind === "appendEntriesRequest" && !this.#isOver && this.#believes(message)) {
      this.#survey.wasSent(message.term, message.prev.index);
    }
    if (this.#waiting !== null && this.#waiting.length < waitingMax) {
      this.#waiting.push(message);
      return;
    }
    // A request without an answer would hold up those behind it.
    const answer = this.#answerTo(message);
    if (answer !== null) this.#dependencies.send(answer);
  }

  rpcFailed({ kind, to }: RpcFailure): void {
    if (kind === "requestPreVoteRequest") this.#asked.delete(to);
  }

  #ask(): void {
    if (this.#isOver) return;
    this.#decide();
    if (this.#isOver) return;
    const { clock, send } = this.#dependencies;
    const { id: from, readiness, heartbeatTimeoutMs } = this.#options;
    const atMs = clock.now();
    for (const to of this.#survey.others) {
      if (this.#asked.has(to)) continue;
      const id = ++this.#messageId;
      this.#asked.set(to, { id, atMs });
      const last = { term: 0, index: 0 };
      send({ kind: "requestPreVoteRequest", from, to, id, term: 0, last, readiness });
    }
    clock.at(atMs + heartbeatTimeoutMs / 2, () => this.#ask());
  }

  #heard(response: RequestPreVoteResponse): void {
    const { from, id, term, standing } = response;
    const asked = this.#asked.get(from);
    if (asked === undefined || asked.id !== id) return;
    this.#asked.delete(from);
    if (!this.#believes(response)) return;
    this.#survey.heard(from, { term, standing: standing ?? null, askedMs: asked.atMs });
    this.#decide();
  }

  /** A server that begins in a term near 2^53 takes part in no election any more (contradiction.ts). */
  #believes({ kind: message, from, term }: RequestPreVoteResponse | AppendEntriesRequest): boolean {
    if (term <= termLeapMax) return true;
    const reason = `no cluster has come as far as term ${term}`;
    this.#dependencies.onEvent({ kind: "messageRefused", from, message, reason });
    return false;
  }

  #decide(): void {
    const { clock, onEvent } = this.#dependencies;
    const outcome = this.#survey.outcome(clock.now());
    if (outcome.kind !== "wait") return this.#carryOut(outcome);
    this.#waitsFor = outcome.reason;
    if (clock.now() < this.#tellAtMs) return;
    this.#tellAtMs = clock.now() + tellEveryMs;
    onEvent({ kind: "surveyWaits", reason: outcome.reason });
  }

  #carryOut(outcome: Exclude<SurveyOutcome, { kind: "wait" }>): void {
    const { store, onDone, onEvent, onFailed } = this.#dependencies;
    const persist = this.#persistOf(outcome);
    this.#isOver = true;
    const waiting: Message[] = [];
    this.#waiting = waiting;
    store.persist(persist, (error) => {
      if (error !== null) return onFailed(error);
      if (outcome.kind === "bootstrap") {
        const { term, baseHeight } = outcome;
        onEvent({ kind: "bootstrapped", term, baseHeight });
      }
      onDone(waiting);
    });
  }

  /** Everything that has been found out, in one write: a crash leaves all of it or an empty disk. */
  #persistOf(outcome: Exclude<SurveyOutcome, { kind: "wait" }>): Persist {
    const { id, voters } = this.#options;
    const nothing = { sequence: 0, snapshot: null, truncateFrom: null, entries: [] };
    const { baseHeight } = outcome;
    if (outcome.kind === "recover") {
      const { recovery } = outcome;
      const hardState = voteSpent(recovery.minTerm, id);
      return { ...nothing, hardState, origin: { baseHeight, recovery } };
    }
    return {
      ...nothing,
      // Nobody votes in the first term, so there is no vote in it that could have been given.
      hardState:
        outcome.term === 1 ? { currentTerm: 1, votedFor: null } : voteSpent(outcome.term, id),
      origin: { baseHeight, recovery: null },
      entries: [bootstrapEntry(voters, this.#dependencies.codec)],
    };
  }

  #answerTo(message: Message): ResponseMessage | null {
    const envelope = { from: this.#options.id, to: message.from, id: message.id };
    const { readiness } = this.#options;
    switch (message.kind) {
      case "requestPreVoteRequest": {
        const answer = { kind: "requestPreVoteResponse", ...envelope, granted: false } as const;
        if (message.term > 0) return { ...answer, term: message.term };
        const { appliedHeight } = readiness;
        // Of a member of another chain nobody knows its first height: without blocks it has none.
        const height = appliedHeight >= this.#options.firstHeight ? appliedHeight : 0;
        const standing = { memory: "none", lastLogIndex: 0, height, baseHeight: 0 } as const;
        return { ...answer, term: 0, standing };
      }
      case "requestVoteRequest":
        return { kind: "requestVoteResponse", ...envelope, term: message.term, granted: false };
      case "heartbeatRequest": {
        const { sentAtMs } = message;
        const nothing = { term: 0, success: false, lastLogIndex: 0 };
        return { kind: "heartbeatResponse", ...envelope, ...nothing, sentAtMs, readiness };
      }
      case "appendEntriesRequest": {
        const { prev, entries, sentAtMs } = message;
        return {
          kind: "appendEntriesResponse",
          ...envelope,
          term: 0,
          success: false,
          lastLogIndex: 0,
          noRetryBackoff: false,
          matchIndex: prev.index + entries.length,
          prevLogIndex: prev.index,
          sentAtMs,
          readiness,
        };
      }
      case "installSnapshotRequest": {
        const { index: snapshotIndex } = message.snapshot.last;
        const kind = "installSnapshotResponse";
        return { kind, ...envelope, term: 0, success: false, snapshotIndex };
      }
      case "timeoutNowRequest":
        return { kind: "timeoutNowResponse", ...envelope };
      case "requestVoteResponse":
      case "requestPreVoteResponse":
      case "heartbeatResponse":
      case "appendEntriesResponse":
      case "installSnapshotResponse":
      case "timeoutNowResponse":
        return null;
      default:
        return unreachable(message);
    }
  }
}

/** A vote of `term` may have been given before; a vote for oneself without a campaign gives none. */
function voteSpent(term: Term, id: ServerId): HardState {
  assert(term > 0, "what is regained has a term", { term });
  return { currentTerm: term, votedFor: id };
}

/** What a node is that may not begin yet. */
export const waitingRole: RoleReport = {
  role: "follower",
  term: 0,
  leaderId: null,
  hasJoined: false,
  isRecovering: true,
  commitIndex: 0,
};

export function waitingStatus(id: ServerId): RaftStatus {
  return {
    ...waitingRole,
    id,
    recovery: null,
    firstIndex: 1,
    lastIndex: 0,
    durableIndex: 0,
    snapshotIndex: 0,
    configuration: noConfiguration,
    leaderSilentMs: null,
    leaseLeftMs: null,
    isTransferring: false,
    hasStalled: false,
    peers: [],
  };
}
