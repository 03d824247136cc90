/** The driver over a clock, a disk and a host that do what the test says, and nothing by themselves. */

import { defined } from "../../src/base/assert.ts";
import {
  type Clock,
  Driver,
  type DriverHost,
  type DriverStore,
  type ProposalOutcome,
} from "../../src/consensus/driver.ts";
import type { RaftEvent } from "../../src/raft/event.ts";
import type { Message } from "../../src/raft/message.ts";
import type { Persist } from "../../src/raft/ready.ts";
import type { Entry, LogIndex, Snapshot } from "../../src/raft/types.ts";
import type { Shortage } from "../../src/storage/disk.ts";
import { entryAt, timeouts } from "../raft/lab/bench.ts";
import { MemoryLog } from "../raft/lab/memory-log.ts";
import { parseConfiguration, textCodec } from "../raft/lab/words.ts";

export const configuration = parseConfiguration("1 2 3");
export const bootstrap = entryAt(1, 1, configuration);

interface TableOptions {
  readonly appliedIndex: LogIndex;
  readonly snapshotThreshold: number;
  /** On the disk from the start. */
  readonly snapshot: Snapshot | null;
}

export class Table implements Clock, DriverStore {
  readonly disk: MemoryLog;
  readonly driver: Driver;
  nowMs = 0;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];
  #soon: (() => void)[] = [];
  #writes: { readonly write: () => void; readonly done: (error: Error | null) => void }[] = [];

  readonly sent: Message[] = [];
  readonly applied: (LogIndex | "snapshot")[] = [];
  /** On the disk, for snapshots. */
  freeBytes = Number.POSITIVE_INFINITY;
  /** How often the host was asked for a snapshot. */
  wanted = 0;
  /** How often the core was given something: it says of each step until when its lease holds. */
  steps = 0;
  readonly outcomes = new Map<number, ProposalOutcome>();
  readonly events: RaftEvent[] = [];
  readonly failures: Error[] = [];

  constructor(entries: Entry[] = [bootstrap], options: Partial<TableOptions> = {}) {
    const { appliedIndex = 0, snapshotThreshold = 1_000, snapshot = null } = options;
    this.disk = new MemoryLog({ currentTerm: 1, votedFor: null }, entries);
    if (snapshot !== null) this.disk.keepSnapshot(snapshot);
    const host: DriverHost = {
      send: (message) => this.sent.push(message),
      committed: (committed) => this.applied.push(...committed.map((entry) => entry.index)),
      snapshot: () => this.applied.push("snapshot"),
      snapshotWanted: () => {
        this.wanted++;
      },
      proposal: (proposalId, outcome) => this.outcomes.set(proposalId, outcome),
      read: () => {},
      role: () => {},
      events: (events) => this.events.push(...events),
      lease: () => {
        this.steps++;
      },
      sample: () => {},
      failed: (error) => this.failures.push(error),
    };
    this.driver = new Driver(
      { id: "1", ...timeouts, appliedIndex, snapshotThreshold, trailingLogs: 2 },
      {
        random: () => 0,
        codec: textCodec,
        addressOf: () => null,
        clock: this,
        store: this,
        host,
      },
    );
    this.driver.start();
  }

  get hardState() {
    return this.disk.hardState;
  }

  get origin() {
    return this.disk.origin;
  }

  get log() {
    return this.disk;
  }

  now(): number {
    return this.nowMs;
  }

  at(atMs: number, callback: () => void): void {
    this.#timers.push({ atMs, callback });
  }

  soon(callback: () => void): void {
    this.#soon.push(callback);
  }

  persist(persist: Persist, done: (error: Error | null) => void): void {
    this.#writes.push({ write: () => this.disk.write(persist), done });
  }

  shortageFor(snapshotBytes: number): Shortage | null {
    const { freeBytes } = this;
    return snapshotBytes <= freeBytes ? null : { freeBytes, neededBytes: snapshotBytes };
  }

  saveSnapshot(snapshot: Snapshot, done: (error: Error | null) => void): void {
    this.#writes.push({ write: () => this.disk.keepSnapshot(snapshot), done });
  }

  compactThrough(index: LogIndex, done: (error: Error | null) => void): void {
    this.disk.compactThrough(index);
    this.#writes.push({ write: () => {}, done });
  }

  /** What was given to the disk becomes durable, or fails. */
  flush(error: Error | null = null): void {
    for (const { write, done } of this.#writes.splice(0)) {
      if (error === null) write();
      done(error);
    }
  }

  runSoon(): void {
    for (const callback of this.#soon.splice(0)) callback();
  }

  waitUntil(nowMs: number): void {
    this.nowMs = nowMs;
    const due = this.#timers.filter((timer) => timer.atMs <= nowMs);
    this.#timers = this.#timers.filter((timer) => timer.atMs > nowMs);
    for (const { callback } of due) callback();
  }

  receive(from: string, body: object): void {
    this.driver.receive({ from, to: "1", id: 1, ...body } as Message);
  }

  kindsSent(): string[] {
    return this.sent.splice(0).map((message) => message.kind);
  }

  becomeLeader(): void {
    this.waitUntil(timeouts.heartbeatTimeoutMs);
    this.receive("2", { kind: "requestPreVoteResponse", term: 2, granted: true });
    this.flush();
    this.vote("2");
    this.acknowledge(2);
    this.flush();
    this.sent.splice(0);
  }

  /** The vote that was asked for last. */
  vote(from: string): void {
    const request = this.sent.findLast((m) => m.kind === "requestVoteRequest" && m.to === from);
    const { id, term } = { term: 0, ...defined(request, `a request for the vote of ${from}`) };
    this.receive(from, { kind: "requestVoteResponse", id, term, granted: true });
  }

  acknowledge(matchIndex: LogIndex, from = "2"): void {
    this.receive(from, {
      kind: "appendEntriesResponse",
      term: 2,
      success: true,
      lastLogIndex: matchIndex,
      noRetryBackoff: false,
      matchIndex,
      prevLogIndex: matchIndex - 1,
      sentAtMs: this.nowMs,
    });
  }

  propose(proposalId: number): void {
    this.driver.propose(2, { proposalId, data: new Uint8Array(1), appendedAt: null });
  }
}
