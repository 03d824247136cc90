/** The driver over a clock, a disk and a host that do what the test says, and nothing by themselves. */

import { describe, expect, it } from "vitest";
import { applyWindowMaxBytes } from "../../src/base/limits.ts";
import {
  type Clock,
  Driver,
  type DriverHost,
  type DriverStore,
  type ProposalOutcome,
} from "../../src/consensus/driver.ts";
import type { Message } from "../../src/raft/message.ts";
import type { Persist } from "../../src/raft/ready.ts";
import type { Entry, LogIndex, Snapshot } from "../../src/raft/types.ts";
import { append, entryAt, timeouts } from "../raft/lab/bench.ts";
import { MemoryLog } from "../raft/lab/memory-log.ts";
import { parseConfiguration, textCodec } from "../raft/lab/words.ts";

const configuration = parseConfiguration("1 2 3");
const bootstrap = entryAt(1, 1, configuration);

class Table implements Clock, DriverStore {
  readonly disk: MemoryLog;
  readonly driver: Driver;
  nowMs = 0;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];
  #soon: (() => void)[] = [];
  #writes: { readonly write: () => void; readonly done: (error: Error | null) => void }[] = [];

  readonly sent: Message[] = [];
  readonly applied: (LogIndex | "snapshot")[] = [];
  /** How often the host was asked for a snapshot. */
  wanted = 0;
  readonly outcomes = new Map<number, ProposalOutcome>();
  readonly failures: Error[] = [];

  constructor(entries: Entry[] = [bootstrap], appliedIndex = 0, snapshotThreshold = 1_000) {
    this.disk = new MemoryLog({ currentTerm: 1, votedFor: null }, entries);
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
      events: () => {},
      lease: () => {},
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
    this.receive("2", { kind: "requestVoteResponse", term: 2, granted: true });
    this.acknowledge(2);
    this.flush();
    this.sent.splice(0);
  }

  acknowledge(matchIndex: LogIndex): void {
    this.receive("2", {
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

describe("messages", () => {
  it("leave once what they promise is durable; those that promise nothing leave at once", () => {
    const table = new Table();
    table.receive("2", append(1, { term: 1, index: 1 }, [1]));
    table.receive("2", { kind: "heartbeatRequest", term: 1, sentAtMs: 0 });
    expect(table.kindsSent()).toEqual(["heartbeatResponse"]);
    table.flush();
    expect(table.kindsSent()).toEqual(["appendEntriesResponse"]);
  });

  it("stay if the disk fails, and so does the driver", () => {
    const table = new Table();
    table.receive("2", append(1, { term: 1, index: 1 }, [1]));
    table.flush(new Error("no space left"));
    table.receive("2", { kind: "heartbeatRequest", term: 1, sentAtMs: 0 });
    expect(table.kindsSent()).toEqual([]);
    expect(table.failures.map((error) => error.message)).toEqual(["no space left"]);
  });
});

describe("committed entries", () => {
  it("are delivered in order and once, from where the host had got before", () => {
    const table = new Table([bootstrap, entryAt(1, 2), entryAt(1, 3)], 1);
    table.receive("2", append(1, { term: 1, index: 3 }, [], 2));
    table.receive("2", append(1, { term: 1, index: 3 }, [1], 4));
    expect(table.applied).toEqual([2, 3, 4]);
  });

  it("wait in the log while the host has no room for more (P8)", () => {
    const data = new Uint8Array(applyWindowMaxBytes / 2);
    const large = [2, 3, 4, 5].map((index) => ({ ...entryAt(1, index), data }));
    const table = new Table([bootstrap, ...large]);
    table.receive("2", append(1, { term: 1, index: 5 }, [], 5));
    const first = [...table.applied];
    expect(first.length).toBeLessThan(5);
    table.driver.applied(first.length);
    expect(table.applied.length).toBeGreaterThan(first.length);
    for (let index = 1; index <= 5; index++) table.driver.applied(index);
    expect(table.applied).toEqual([1, 2, 3, 4, 5]);
  });

  it("are stood for by a snapshot, also while that is still being written", () => {
    const table = new Table();
    const snapshot: Snapshot = {
      last: { term: 2, index: 9 },
      configuration,
      configurationIndex: 1,
      data: new Uint8Array(3),
    };
    table.receive("2", { kind: "installSnapshotRequest", term: 2, snapshot });
    table.receive("2", append(2, { term: 2, index: 9 }, [2], 10));
    expect([table.failures, table.applied]).toEqual([[], ["snapshot", 10]]);
    table.flush();
    table.flush();
    expect(table.kindsSent()).toEqual(["installSnapshotResponse", "appendEntriesResponse"]);
  });
});

describe("proposals", () => {
  it("that wait together are one write and one AppendEntries", () => {
    const table = new Table();
    table.becomeLeader();
    table.propose(1);
    table.propose(2);
    expect(table.kindsSent()).toEqual([]);
    table.runSoon();
    expect(table.kindsSent()).toEqual(["appendEntriesRequest"]);
    table.flush();
    table.acknowledge(4);
    expect([...table.outcomes]).toEqual([
      [1, { kind: "committed", index: 3, term: 2 }],
      [2, { kind: "committed", index: 4, term: 2 }],
    ]);
  });

  it("are lost when another entry is committed in their place, and not before", () => {
    const table = new Table();
    table.becomeLeader();
    table.propose(1);
    table.runSoon();
    table.flush();
    table.receive("3", append(3, { term: 2, index: 2 }, [3], 2));
    expect(table.outcomes.size).toBe(0);
    table.receive("3", append(3, { term: 3, index: 3 }, [], 3));
    expect([...table.outcomes]).toEqual([[1, { kind: "lost" }]]);
  });

  it("whose entry was truncated and its index used again may be committed yet, by another leader", () => {
    const table = new Table();
    table.becomeLeader();
    for (const proposalId of [1, 2, 3]) table.propose(proposalId);
    table.runSoon();
    table.flush();
    // Server 3 takes over without them, and hands over to us: proposal 4 gets index 5, as 3 had.
    table.receive("3", append(3, { term: 2, index: 2 }, [3], 2));
    table.receive("3", { kind: "timeoutNowRequest" });
    table.flush();
    table.receive("3", { kind: "requestVoteResponse", term: 4, granted: true });
    table.driver.propose(4, { proposalId: 4, data: new Uint8Array(1), appendedAt: null });
    table.runSoon();
    expect(table.outcomes.size).toBe(0);
    // A server that had them, and nothing since, is elected by others that lack ours.
    table.receive("2", append(5, { term: 2, index: 2 }, [2, 2, 2, 5], 6));
    expect([...table.outcomes]).toEqual([
      [1, { kind: "committed", index: 3, term: 2 }],
      [2, { kind: "committed", index: 4, term: 2 }],
      [3, { kind: "committed", index: 5, term: 2 }],
      [4, { kind: "lost" }],
    ]);
  });

  it("elsewhere than on the leader are answered at once", () => {
    const table = new Table();
    table.receive("2", { kind: "heartbeatRequest", term: 1, sentAtMs: 0 });
    table.propose(1);
    table.runSoon();
    expect([...table.outcomes]).toEqual([[1, { kind: "notLeader", proposalId: 1, leaderId: "2" }]]);
  });
});

describe("time", () => {
  it("wakes the core at its deadline", () => {
    const table = new Table();
    table.waitUntil(timeouts.heartbeatTimeoutMs - 1);
    expect(table.kindsSent()).toEqual([]);
    table.waitUntil(timeouts.heartbeatTimeoutMs);
    expect(table.kindsSent()).toEqual(["requestPreVoteRequest", "requestPreVoteRequest"]);
  });
});
