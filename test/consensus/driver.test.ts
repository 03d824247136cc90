/** The driver between a core and its world: order, durability, room, time. */

import { describe, expect, it } from "vitest";
import { applyWindowMaxBytes } from "../../src/base/limits.ts";
import type { Readiness, Snapshot } from "../../src/raft/types.ts";
import { wellAfterMs } from "../../src/storage/disk-watch.ts";
import { append, entryAt, timeouts } from "../raft/lab/bench.ts";
import { bootstrap, configuration, Table } from "./table.ts";

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
    const table = new Table([bootstrap, entryAt(1, 2), entryAt(1, 3)], { appliedIndex: 1 });
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
    table.nowMs += 60;
    table.receive("3", append(3, { term: 2, index: 2 }, [3], 2));
    table.nowMs += 60;
    table.receive("3", { kind: "timeoutNowRequest" });
    table.flush();
    table.vote("3");
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

describe("a disk that stalls", () => {
  const ready: Readiness = { isReady: true, appliedHeight: 0, priority: 0 };

  /** Its write is under way, and is committed by the others. */
  function stalledLeader(): Table {
    const table = new Table();
    table.becomeLeader();
    table.propose(1);
    table.runSoon();
    for (const from of ["2", "3"]) table.acknowledge(3, from);
    expect(table.outcomes.get(1)).toMatchObject({ kind: "committed" });
    table.sent.splice(0);
    return table;
  }

  /** Time passes, in which server 2 hears this leader and says how it is. */
  function heardBy2(table: Table, forMs: number, readiness: Readiness): void {
    const body = { kind: "heartbeatResponse", term: 2, success: true, lastLogIndex: 3, readiness };
    const untilMs = table.nowMs + forMs;
    while (table.nowMs < untilMs) {
      table.waitUntil(table.nowMs + 10);
      table.receive("2", { ...body, sentAtMs: table.nowMs });
    }
  }

  const slowEvents = (table: Table) =>
    table.events.map(({ kind }) => kind).filter((kind) => /^(disk|transferS)/.test(kind));

  it("ends a leadership while its write is under way: a ready voter takes over (P5)", () => {
    const table = stalledLeader();
    heardBy2(table, 400, ready);
    expect(slowEvents(table)).toEqual([]);
    heardBy2(table, 150, ready);
    expect(slowEvents(table)).toEqual(["diskSlow", "transferStarted"]);
    expect(table.sent.filter(({ kind }) => kind === "timeoutNowRequest")).toMatchObject([
      { to: "2" },
    ]);
  });

  it("ends none where no other is ready", () => {
    const table = stalledLeader();
    heardBy2(table, 5_000, { ...ready, isReady: false });
    expect(slowEvents(table)).toEqual(["diskSlow"]);
    expect(table.driver.status.role).toBe("leader");
  });

  it("makes a follower unready, in its own words to the leader, until it is fast again", () => {
    const table = new Table();
    table.driver.setReadiness(ready);
    const said = (): boolean | undefined => {
      table.receive("2", { kind: "heartbeatRequest", term: 1, sentAtMs: table.nowMs });
      const answer = table.sent.findLast(({ kind }) => kind === "heartbeatResponse");
      return answer?.kind === "heartbeatResponse" ? answer.readiness?.isReady : undefined;
    };
    table.receive("2", append(1, { term: 1, index: 1 }, [1]));
    expect(said()).toBe(true);
    for (let ms = 0; ms < 400; ms += 10) table.waitUntil(table.nowMs + 10);
    expect(said()).toBe(false);
    expect(table.driver.slowDisk?.takesMs).toBeGreaterThanOrEqual(200);
    // What its host says of itself changes nothing of that.
    table.driver.setReadiness(ready);
    expect(said()).toBe(false);
    table.flush();
    for (let ms = 0; ms < wellAfterMs(timeouts) + 100; ms += 10) table.waitUntil(table.nowMs + 10);
    expect(said()).toBe(true);
    expect(slowEvents(table)).toEqual(["diskSlow", "diskWell"]);
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

  it("leaves the core alone at a deadline that has moved on, and wakes it at the new one", () => {
    const table = new Table();
    const { heartbeatTimeoutMs } = timeouts;
    table.waitUntil(heartbeatTimeoutMs / 2);
    table.receive("2", { kind: "heartbeatRequest", term: 1, sentAtMs: 0 });
    const { steps } = table;
    table.waitUntil(heartbeatTimeoutMs);
    expect(table.steps).toBe(steps);
    table.waitUntil(heartbeatTimeoutMs * 1.5);
    expect(table.steps).toBe(steps + 1);
    expect(table.kindsSent()).toContain("requestPreVoteRequest");
  });
});
