/** The main thread's end of the consensus thread: its life, its questions and answers. */

import { Worker } from "node:worker_threads";
import { unreachable } from "../base/assert.ts";
import type { Readiness, ServerId, Snapshot, Term } from "../raft/types.ts";
import { ApplyCredit } from "./apply-credit.ts";
import type { ProposalOutcome, RoleReport } from "./driver.ts";
import { errorFromReport } from "./error-report.ts";
import type {
  Beginning,
  CommittedEntry,
  ConsensusOptions,
  ConsensusView,
  FromConsensus,
  Measurements,
  PeerAnswer,
  TimedEvent,
  ToConsensus,
} from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { Pulse } from "./pulse.ts";
import { SharedLease } from "./shared-lease.ts";
import type { StateSnapshot } from "./snapshotter.ts";

export interface ConsensusListener {
  committed(entries: readonly CommittedEntry[], commitIndex: number): void;
  /** A snapshot came in place of entries: it is the state machine as of its last one. */
  snapshot(snapshot: Pick<Snapshot, "last" | "data">): void;
  /**
   * The state machine as of an entry that is durably applied; null for "not now", and it is asked for
   * again later. Asked for one at a time.
   */
  snapshotWanted(): Promise<StateSnapshot | null>;
  /** Once, before anything is committed. */
  begun(beginning: Beginning): void;
  role(report: RoleReport): void;
  events(events: readonly TimedEvent[]): void;
  transport(event: (FromConsensus & { kind: "transport" })["event"], atMs: number): void;
  measured(measurements: Measurements): void;
  /** Another node asks; the answer is sent when it is there. */
  peerAsks(
    peerId: ServerId,
    method: string,
    body: Uint8Array,
  ): Promise<{ readonly status: number; readonly body: Uint8Array }>;
  /** The thread cannot go on: neither can the node. */
  failed(error: Error): void;
}

export interface Listening {
  readonly host: string;
  readonly port: number;
}

/** Longer than the thread's measurements are apart, so that each look finds one. */
const lookEveryMs = 500;
/** Shorter than the looks of the thread's `HostWatch` are apart. */
const workingEveryMs = 200;

type Settle<T> = (value: T) => void;

export class Consensus {
  readonly #listener: ConsensusListener;
  readonly #worker: Worker;
  readonly #lease = new SharedLease();
  readonly #outbox = new Outbox<ToConsensus>((batch, buffers) =>
    this.#worker.postMessage(batch, buffers),
  );
  readonly #credit: ApplyCredit;
  readonly #pulse = new Pulse(lookEveryMs);
  readonly #working: NodeJS.Timeout;
  readonly #proposals = new Map<number, Settle<ProposalOutcome>>();
  readonly #confirmations = new Map<number, Settle<number | null>>();
  readonly #viewRequests = new Map<number, Settle<ConsensusView | null>>();
  readonly #peerRequests = new Map<number, Settle<PeerAnswer>>();
  #started: {
    resolve: Settle<{ listening: Listening | null }>;
    reject: Settle<Error>;
  } | null = null;
  #nextId = 0;
  /** Its end is expected: asked for, or told the reason of. */
  #isEnding = false;
  #isOver = false;
  readonly #exited: Promise<void>;

  constructor(options: Omit<ConsensusOptions, "lease">, listener: ConsensusListener) {
    this.#listener = listener;
    this.#credit = new ApplyCredit(options.snapshotThreshold);
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const workerData: ConsensusOptions = { ...options, lease: this.#lease.buffer };
    this.#worker = new Worker(new URL(`./thread.${extension}`, import.meta.url), {
      workerData,
      name: "consensus",
    });
    this.#working = setInterval(() => this.#post({ kind: "working" }), workingEveryMs).unref();
    this.#worker.on("message", (batch: readonly FromConsensus[]) => {
      for (const message of batch) this.#take(message);
    });
    this.#worker.on("error", (error: Error) => this.#fail(error));
    this.#exited = new Promise((resolve) => {
      this.#worker.once("exit", (code) => {
        if (!this.#isEnding) {
          this.#fail(new Error(`the consensus thread ended by itself, with exit code ${code}`));
        }
        this.#end();
        resolve();
      });
    });
  }

  /**
   * Resolves once the log is open and the Raft port listens; rejects with what was wrong. What the node
   * begins with may be found out later: see `begun`.
   */
  start(): Promise<{ readonly listening: Listening | null }> {
    return new Promise((resolve, reject) => {
      this.#started = { resolve, reject };
    });
  }

  /** Closes the port and the log, and waits for it. May be called twice. */
  async stop(): Promise<void> {
    this.#isEnding = true;
    if (!this.#isOver) this.#post({ kind: "stop" });
    await this.#exited;
  }

  /** Ends the thread where it is, as a crash would: whoever follows it hears of it no more. */
  halt(): void {
    this.#isEnding = true;
    void this.#worker.terminate();
  }

  propose(term: Term, data: Uint8Array): Promise<ProposalOutcome> {
    if (this.#isOver) return Promise.resolve({ kind: "notLeader", leaderId: null });
    return new Promise((resolve) => {
      const proposalId = ++this.#nextId;
      this.#proposals.set(proposalId, resolve);
      const bytes = new Uint8Array(data);
      this.#post({ kind: "propose", proposalId, term, data: bytes }, bytes.buffer);
    });
  }

  /** Everything up to `index` is applied: there is room for more (P8). */
  applied(index: number): void {
    if (this.#credit.applied(index)) this.#post({ kind: "applied", index });
  }

  setReadiness(readiness: Readiness): void {
    this.#post({ kind: "readiness", readiness });
  }

  transferLeadership(targetId: ServerId | null): void {
    this.#post({ kind: "transferLeadership", targetId });
  }

  /** How long the thread has not measured itself, as it does several times a second: then it hangs. */
  get silentMs(): number {
    return this.#pulse.silentMs;
  }

  /** Whether this node may trust, right now, that it leads `term`. */
  holdsLease(term: Term): boolean {
    return this.#lease.isHeld(term);
  }

  /** Asks a majority whether this node still leads: the index to have applied before reading, or null. */
  confirmLeadership(): Promise<number | null> {
    return this.#ask(this.#confirmations, null, (requestId) => ({
      kind: "confirmLeadership",
      requestId,
    }));
  }

  /** null once the thread has ended. */
  view(): Promise<ConsensusView | null> {
    return this.#ask(this.#viewRequests, null, (requestId) => ({ kind: "status", requestId }));
  }

  askPeer(
    peerId: ServerId,
    method: string,
    body: Uint8Array,
    timeoutMs: number,
  ): Promise<PeerAnswer> {
    return this.#ask(this.#peerRequests, peerAnswerWhenOver, (requestId) => ({
      kind: "askPeer",
      requestId,
      peerId,
      method,
      body,
      timeoutMs,
    }));
  }

  #ask<T>(
    waiting: Map<number, Settle<T>>,
    whenOver: T,
    question: (requestId: number) => ToConsensus,
  ): Promise<T> {
    if (this.#isOver) return Promise.resolve(whenOver);
    return new Promise((resolve) => {
      const requestId = ++this.#nextId;
      waiting.set(requestId, resolve);
      this.#post(question(requestId));
    });
  }

  #post(message: ToConsensus, buffer: ArrayBuffer | null = null): void {
    if (!this.#isOver) this.#outbox.post(message, buffer);
  }

  #take(message: FromConsensus): void {
    switch (message.kind) {
      case "started":
        this.#pulse.start();
        this.#started?.resolve(message);
        this.#started = null;
        return;
      case "begun":
        return this.#listener.begun(message.beginning);
      case "failed":
        return this.#fail(errorFromReport(message.error));
      case "committed": {
        const { entries, lastIndex, bytes, commitIndex } = message;
        this.#credit.delivered(lastIndex, bytes);
        return this.#listener.committed(entries, commitIndex);
      }
      case "snapshot": {
        const { index, term, data } = message;
        this.#credit.delivered(index, data.length);
        return this.#listener.snapshot({ last: { index, term }, data });
      }
      case "snapshotWanted":
        this.#listener.snapshotWanted().then(
          (snapshot) => this.#postSnapshot(snapshot),
          (error: unknown) => this.#hostFailed(error),
        );
        return;
      case "proposal":
        return settle(this.#proposals, message.proposalId, message.outcome);
      case "role":
        return this.#listener.role(message.report);
      case "leadership":
        return settle(this.#confirmations, message.requestId, message.readIndex);
      case "status":
        return settle(this.#viewRequests, message.requestId, message.view);
      case "measurements":
        this.#pulse.beat();
        return this.#listener.measured(message.measurements);
      case "peerAsks": {
        const { requestId, peerId, method, body } = message;
        this.#listener.peerAsks(peerId, method, body).then(
          (answer) => this.#post({ kind: "answerPeer", requestId, ...answer }),
          (error: unknown) => this.#hostFailed(error),
        );
        return;
      }
      case "peerAnswered":
        return settle(this.#peerRequests, message.requestId, message.answer);
      case "events":
        return this.#listener.events(message.events);
      case "transport":
        return this.#listener.transport(message.event, message.atMs);
      case "stopped":
        return this.#end();
      default:
        return unreachable(message);
    }
  }

  #postSnapshot(snapshot: StateSnapshot | null): void {
    if (snapshot === null) return this.#post({ kind: "snapshotTaken", snapshot });
    const data = new Uint8Array(snapshot.data);
    this.#post({ kind: "snapshotTaken", snapshot: { ...snapshot, data } }, data.buffer);
  }

  /** What was asked of the node before it closed its stores, nobody waits for any more. */
  #hostFailed(error: unknown): void {
    if (!this.#isEnding && !this.#isOver) this.#fail(errorFrom(error));
  }

  #fail(error: Error): void {
    this.#isEnding = true;
    if (this.#started !== null) {
      this.#started.reject(error);
      this.#started = null;
    } else {
      this.#listener.failed(error);
    }
  }

  /** Nobody waits for a thread that has ended. */
  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#pulse.stop();
    clearInterval(this.#working);
    settleAll(this.#proposals, { kind: "notLeader", leaderId: null });
    settleAll(this.#confirmations, null);
    settleAll(this.#viewRequests, null);
    settleAll(this.#peerRequests, peerAnswerWhenOver);
  }
}

const peerAnswerWhenOver: PeerAnswer = {
  kind: "failed",
  reason: "this node is shutting down",
  failure: "unanswered",
};

function errorFrom(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function settle<T>(waiting: Map<number, Settle<T>>, id: number, value: T): void {
  const resolve = waiting.get(id);
  waiting.delete(id);
  resolve?.(value);
}

function settleAll<T>(waiting: Map<number, Settle<T>>, value: T): void {
  for (const id of [...waiting.keys()]) settle(waiting, id, value);
}
