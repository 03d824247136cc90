/** When snapshots are taken, with what, and what the log loses and keeps. */

import { describe, expect, it } from "vitest";
import { snapshotSizeMaxBytes } from "../../src/base/limits.ts";
import type { Configuration, Snapshot } from "../../src/raft/types.ts";
import { append, entry, entryAt, timeouts } from "../raft/lab/bench.ts";
import { configurationText, parseConfiguration, textCodec } from "../raft/lab/words.ts";
import { bootstrap, configuration, Table } from "./table.ts";

const data = new TextEncoder().encode("state");

function snapshotAt(index: number, inForce: Configuration = configuration): Snapshot {
  return { last: { term: 1, index }, configuration: inForce, configurationIndex: 1, data };
}

/** A follower that has applied entries of term 1 up to `count`, of a leader that has as many. */
function followerOf(count: number, snapshotThreshold = 5): Table {
  const table = new Table([bootstrap], { snapshotThreshold });
  const terms = Array.from({ length: count - 1 }, () => 1);
  table.receive("2", append(1, { term: 1, index: 1 }, terms, count));
  table.flush();
  for (let index = 1; index <= count; index++) table.driver.applied(index);
  return table;
}

describe("a snapshot", () => {
  it("is asked for every so many applied entries, one at a time", () => {
    const table = followerOf(4);
    expect(table.wanted).toBe(0);
    table.receive("2", append(1, { term: 1, index: 4 }, [1, 1, 1, 1, 1, 1, 1, 1], 12));
    table.flush();
    table.driver.applied(5);
    expect(table.wanted).toBe(1);
    table.driver.applied(12);
    expect(table.wanted).toBe(1);
    table.driver.snapshotTaken({ index: 7, term: 1, data });
    table.flush();
    table.flush();
    // The one at 7 is there, and five more are applied.
    expect([table.disk.snapshotLast.index, table.wanted]).toEqual([7, 2]);
  });

  it("is kept before the log is shortened, but for the trailing entries", () => {
    const table = followerOf(9);
    table.driver.snapshotTaken({ index: 8, term: 1, data });
    expect(table.driver.status).toMatchObject({ firstIndex: 1, snapshotIndex: 0 });
    table.flush();
    expect(table.disk.firstIndex).toBe(7);
    expect(table.driver.status).toMatchObject({ lastIndex: 9, snapshotIndex: 8 });
    expect(table.events).toContainEqual({
      kind: "snapshotTaken",
      index: 8,
      term: 1,
      sizeBytes: data.length,
      durationMs: 0,
      entriesRemoved: 6,
    });
  });

  it("that no peer would take is not kept, nor the log shortened; the next may be smaller", () => {
    const table = followerOf(9);
    const tooLarge = new Uint8Array(snapshotSizeMaxBytes + 1);
    table.driver.snapshotTaken({ index: 8, term: 1, data: tooLarge });
    table.flush();
    expect(table.driver.status).toMatchObject({ firstIndex: 1, snapshotIndex: 0 });
    expect(table.events).toContainEqual({
      kind: "snapshotTooLarge",
      index: 8,
      sizeBytes: tooLarge.length,
      limitBytes: snapshotSizeMaxBytes,
    });
    expect(table.wanted).toBe(1);
    table.receive("2", append(1, { term: 1, index: 9 }, [1, 1, 1, 1], 13));
    table.flush();
    table.driver.applied(12);
    expect(table.wanted).toBe(1);
    table.driver.applied(13);
    expect(table.wanted).toBe(2);
  });

  it("that would fill the disk is not kept, and no failure; the next may find room", () => {
    const table = followerOf(9);
    table.freeBytes = data.length - 1;
    table.driver.snapshotTaken({ index: 8, term: 1, data });
    table.flush();
    const neededBytes = data.length;
    const lacking = { sizeBytes: neededBytes, freeBytes: neededBytes - 1, neededBytes };
    expect(table.events).toContainEqual({ kind: "snapshotLacksRoom", index: 8, ...lacking });
    expect(table.driver.status).toMatchObject({ firstIndex: 1, snapshotIndex: 0 });
    table.freeBytes = data.length;
    table.receive("2", append(1, { term: 1, index: 9 }, [1, 1, 1, 1], 13));
    table.flush();
    table.driver.applied(13);
    table.driver.snapshotTaken({ index: 13, term: 1, data });
    table.flush();
    expect(table.driver.status.snapshotIndex).toBe(13);
    expect(table.failures).toEqual([]);
  });

  it("that could not be kept is not asked for again before more is applied, however much was before", () => {
    const table = followerOf(14);
    table.freeBytes = data.length - 1;
    expect(table.wanted).toBe(1);
    // The last block is well below what is applied: entries without one follow it.
    table.driver.snapshotTaken({ index: 8, term: 1, data });
    expect(table.wanted).toBe(1);
    table.receive("2", append(1, { term: 1, index: 14 }, [1], 15));
    table.flush();
    table.driver.applied(15);
    expect(table.wanted).toBe(2);
  });

  it("has the configuration that was in force at its last entry", () => {
    const table = new Table([bootstrap], { snapshotThreshold: 5 });
    const later = { servers: parseConfiguration("1 2 3 4(nonvoter)").servers };
    const change = (index: number) => {
      const changed = entry(1, index, "configuration", "");
      return { ...changed, data: textCodec.encode(later) };
    };
    const entries = [entryAt(1, 2), change(3), entryAt(1, 4), entryAt(1, 5), change(6)];
    table.receive("2", { ...append(1, { term: 1, index: 1 }, [], 6), entries });
    table.flush();
    table.driver.applied(6);
    table.driver.snapshotTaken({ index: 5, term: 1, data });
    table.flush();
    const kept = table.disk.snapshot();
    expect(kept?.configurationIndex).toBe(3);
    expect(configurationText(kept?.configuration ?? configuration)).toBe("1 2 3 4(nonvoter)");
    // The next one finds it in the snapshot: its entry has left the log.
    table.receive("2", append(1, { term: 1, index: 6 }, [1, 1, 1, 1], 10));
    table.flush();
    table.driver.applied(10);
    table.driver.snapshotTaken({ index: 10, term: 1, data });
    table.flush();
    expect(table.disk.snapshot()).toMatchObject({ last: { index: 10 }, configurationIndex: 6 });
  });

  it("that the host does not have now is asked for again later", () => {
    const table = followerOf(5);
    table.driver.snapshotTaken(null);
    table.driver.applied(5);
    expect(table.wanted).toBe(1);
    table.waitUntil(1_000);
    expect(table.wanted).toBe(2);
  });

  it("that is ahead of the log is not taken: after a crash the host may be", () => {
    const table = new Table([bootstrap], { appliedIndex: 9, snapshotThreshold: 5 });
    table.driver.applied(9);
    table.driver.snapshotTaken({ index: 9, term: 1, data });
    table.flush();
    expect([table.failures, table.disk.snapshotLast.index]).toEqual([[], 0]);
    table.receive("2", append(1, { term: 1, index: 1 }, Array(8).fill(1), 9));
    table.flush();
    table.waitUntil(1_000);
    table.driver.snapshotTaken({ index: 9, term: 1, data });
    table.flush();
    expect([table.failures, table.disk.snapshotLast.index]).toEqual([[], 9]);
  });

  it("that a leader's has overtaken meanwhile is dropped", () => {
    const table = followerOf(5);
    const snapshot = { ...snapshotAt(20), configurationIndex: 1 };
    table.receive("2", { kind: "installSnapshotRequest", term: 1, snapshot });
    table.driver.snapshotTaken({ index: 5, term: 1, data });
    table.flush();
    expect([table.failures, table.disk.snapshotLast.index]).toEqual([[], 20]);
    expect(table.events.filter(({ kind }) => kind === "snapshotTaken")).toEqual([]);
  });

  it("of which the entries differ from the log ends the node: its state is another one", () => {
    const table = followerOf(5);
    table.driver.snapshotTaken({ index: 5, term: 9, data });
    expect(table.failures.map(String)).toEqual([
      "InvariantError: invariant broken: what was applied is what is committed (index=5 term=9)",
    ]);
  });

  it("that came before a crash, and was not applied by then, comes again", () => {
    const table = new Table([], { appliedIndex: 3, snapshot: snapshotAt(8) });
    expect(table.applied).toEqual(["snapshot"]);
    const applied = new Table([], { appliedIndex: 8, snapshot: snapshotAt(8) });
    expect([applied.failures, applied.applied]).toEqual([[], []]);
  });
});

/** A leader of term 2 that has everything up to `count` applied, and so has server 2. */
function leaderOf(count: number): Table {
  const table = new Table([bootstrap], { snapshotThreshold: 5 });
  table.becomeLeader();
  grow(table, 2, count);
  return table;
}

function grow(table: Table, from: number, to: number): void {
  for (let index = from + 1; index <= to; index++) table.propose(index);
  table.runSoon();
  table.flush();
  table.acknowledge(to);
  table.driver.applied(to);
}

function snapshot(table: Table, index: number): void {
  table.driver.snapshotTaken({ index, term: 2, data });
  table.flush();
  table.flush();
}

const installed = { term: 2, success: true };

function paceOfThree(table: Table): string | undefined {
  return table.driver.status.peers.find(({ id }) => id === "3")?.pace;
}

/** Server 3 answers a heartbeat, and has this much. */
function hearThree(table: Table, lastLogIndex: number): void {
  table.receive("3", {
    kind: "heartbeatResponse",
    term: 2,
    success: true,
    lastLogIndex,
    sentAtMs: table.nowMs,
  });
}

function matchThree(table: Table, matchIndex: number): void {
  table.receive("3", {
    kind: "appendEntriesResponse",
    term: 2,
    success: true,
    lastLogIndex: matchIndex,
    noRetryBackoff: false,
    matchIndex,
    prevLogIndex: matchIndex,
    sentAtMs: table.nowMs,
  });
}

/** Server 3 is there, and lacks entries that are not in the log any more. */
function needSnapshot(table: Table): void {
  hearThree(table, 1);
  table.driver.rpcFailed({ kind: "appendEntriesRequest", to: "3", id: 0, term: 2 });
  table.waitUntil(table.nowMs + 20);
}

/** A leader whose log begins at 9, and which is sending its snapshot of 10 to server 3. */
function sendingToThree(): Table {
  const table = leaderOf(10);
  snapshot(table, 10);
  expect(table.disk.firstIndex).toBe(9);
  needSnapshot(table);
  expect(table.kindsSent()).toContain("installSnapshotRequest");
  return table;
}

describe("the leader's log", () => {
  it("keeps what comes after a snapshot that is on its way, however long that takes", () => {
    const table = sendingToThree();
    grow(table, 10, 50);
    snapshot(table, 50);
    expect(table.disk.snapshotLast.index).toBe(50);
    // The snapshot's last entry too: a probe tells by it whether the snapshot has arrived.
    expect(table.disk.firstIndex).toBe(10);
    table.receive("3", { kind: "installSnapshotResponse", ...installed, snapshotIndex: 10 });
    expect(table.kindsSent()).toContain("appendEntriesRequest");
    expect(paceOfThree(table)).toBe("replicate");
  });

  it("keeps what comes after a snapshot that is being read to be sent: a newer one takes as long to read", () => {
    const table = leaderOf(10);
    snapshot(table, 10);
    table.disk.isReadingSnapshot = true;
    needSnapshot(table);
    expect(table.kindsSent()).not.toContain("installSnapshotRequest");
    grow(table, 10, 50);
    snapshot(table, 50);
    expect([table.disk.snapshotLast.index, table.disk.firstIndex]).toEqual([50, 10]);
    table.disk.isReadingSnapshot = false;
    table.waitUntil(table.nowMs + 20);
    expect(table.kindsSent()).toContain("installSnapshotRequest");
  });

  it("goes on from an older snapshot, too, which ends where the log begins", () => {
    const table = leaderOf(10);
    snapshot(table, 10);
    grow(table, 10, 11);
    const older = { ...snapshotAt(8), last: { term: 2, index: 8 } };
    table.disk.heldSnapshot = older;
    needSnapshot(table);
    expect([table.disk.firstIndex, table.kindsSent().at(-1)]).toEqual([
      9,
      "installSnapshotRequest",
    ]);
    table.receive("3", { kind: "installSnapshotResponse", ...installed, snapshotIndex: 8 });
    expect(table.sent.at(-1)).toMatchObject({ kind: "appendEntriesRequest", prev: older.last });
  });

  it("is not kept for a follower that falls silent while a snapshot is read for it", () => {
    const table = leaderOf(10);
    snapshot(table, 10);
    table.disk.isReadingSnapshot = true;
    needSnapshot(table);
    grow(table, 10, 50);
    table.nowMs += timeouts.heartbeatTimeoutMs;
    table.acknowledge(50);
    table.waitUntil(table.nowMs + 20);
    snapshot(table, 50);
    expect(table.disk.firstIndex).toBe(49);
  });

  it("keeps what a follower needs while it comes closer, and then no more than any other", () => {
    const table = sendingToThree();
    grow(table, 10, 50);
    table.receive("3", { kind: "installSnapshotResponse", ...installed, snapshotIndex: 10 });
    snapshot(table, 50);
    expect(table.disk.firstIndex).toBe(11);
    grow(table, 50, 60);
    matchThree(table, 30); // 30 behind, after 40
    snapshot(table, 60);
    expect(table.disk.firstIndex).toBe(31);
    grow(table, 60, 70);
    matchThree(table, 70);
    snapshot(table, 70);
    expect(table.disk.firstIndex).toBe(69);
  });

  it("waits for no follower that falls further behind, nor for one that is silent", () => {
    const table = sendingToThree();
    grow(table, 10, 50);
    table.receive("3", { kind: "installSnapshotResponse", ...installed, snapshotIndex: 10 });
    snapshot(table, 50);
    grow(table, 50, 100);
    matchThree(table, 30); // 70 behind, after 40
    snapshot(table, 100);
    expect(table.disk.firstIndex).toBe(99);
    matchThree(table, 100);
    grow(table, 100, 110);
    table.nowMs += timeouts.heartbeatTimeoutMs;
    table.acknowledge(110);
    snapshot(table, 110);
    expect(table.disk.firstIndex).toBe(109);
  });
});
