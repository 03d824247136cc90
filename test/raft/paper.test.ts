/**
 * The Raft paper, sentence by sentence (Fig. 2 and Fig. 13; Ongaro and Ousterhout, "In Search of an
 * Understandable Consensus Algorithm", extended version). Each test is named by the sentence it holds
 * the core to. The core is server 1 of three, unless said otherwise.
 */

import { describe, expect, it } from "vitest";
import { append, Bench, entryAt, timeouts } from "./lab/bench.ts";
import { parseConfiguration } from "./lab/words.ts";

const snapshotOf = (term: number, index: number) => ({
  last: { term, index },
  configuration: parseConfiguration("1 2 3"),
  configurationIndex: 1,
  data: new Uint8Array([7]),
});

describe("Fig. 2, state", () => {
  it("currentTerm, votedFor, log[]: updated on stable storage before responding to RPCs", () => {
    const bench = new Bench();
    bench.isDiskStalled = true;
    const vote = { kind: "requestVoteRequest", term: 2, leadershipTransfer: false } as const;
    const granted = bench.receive("2", { ...vote, last: { term: 1, index: 1 } });
    expect(granted.persist?.hardState).toEqual({ currentTerm: 2, votedFor: "2" });
    expect(bench.sent.map((out) => out.afterSequence)).toEqual([granted.persist?.sequence]);

    const stored = bench.receive("2", append(2, { term: 1, index: 1 }, [2]));
    expect(stored.persist?.entries.map((e) => e.index)).toEqual([2]);
    expect(bench.sent.map((out) => out.afterSequence)).toEqual([stored.persist?.sequence]);
  });

  it("commitIndex: initialized to 0, increases monotonically", () => {
    const bench = new Bench({ log: [1, 1, 1] });
    expect(bench.core.commitIndex).toBe(0);
    bench.receive("2", append(1, { term: 1, index: 3 }, [], 3));
    expect(bench.core.commitIndex).toBe(3);
    bench.receive("2", append(1, { term: 1, index: 3 }, [], 2));
    expect(bench.core.commitIndex).toBe(3);
  });

  it("nextIndex[]: initialized to leader last log index + 1; matchIndex[]: initialized to 0", () => {
    const bench = new Bench({ log: [1, 1, 1] });
    bench.becomeCandidate();
    bench.receive("2", { kind: "requestVoteResponse", term: 2, granted: true });
    // The leader's own first entry goes along: nextIndex is the index of that.
    expect(bench.sentOf("appendEntriesRequest").map((m) => m.prev.index)).toEqual([3, 3]);
    expect(bench.core.status.peers.map((peer) => peer.matchIndex)).toEqual([0, 0]);
  });
});

describe("Fig. 2, AppendEntries RPC, receiver implementation", () => {
  it("1. Reply false if term < currentTerm (§5.1)", () => {
    const bench = new Bench({ term: 3 });
    bench.receive("2", append(2, { term: 1, index: 1 }, [2]));
    expect(bench.answer("appendEntriesResponse")).toMatchObject({ term: 3, success: false });
    expect(bench.terms).toEqual([1]);
    expect(bench.core.leaderId).toBeNull();
  });

  it.each([
    { why: "the log is shorter", log: [1, 1], prev: { term: 2, index: 5 }, hint: 2 },
    { why: "the term differs", log: [1, 1, 2, 2], prev: { term: 3, index: 4 }, hint: 2 },
    { why: "the whole log differs", log: [1, 2, 2, 2], prev: { term: 3, index: 4 }, hint: 1 },
  ])(
    "2. Reply false if log doesn't contain an entry at prevLogIndex whose term matches prevLogTerm (§5.3): $why",
    ({ log, prev, hint }) => {
      const bench = new Bench({ log, term: 3 });
      bench.receive("2", append(3, prev, [3]));
      const answer = bench.answer("appendEntriesResponse");
      expect(answer).toMatchObject({ success: false, noRetryBackoff: true, lastLogIndex: hint });
      expect(bench.terms).toEqual(log);
    },
  );

  it("3. If an existing entry conflicts with a new one, delete the existing entry and all that follow it (§5.3)", () => {
    const bench = new Bench({ log: [1, 1, 2, 2, 2], term: 3 });
    const ready = bench.receive("2", append(3, { term: 1, index: 2 }, [3]));
    expect(ready.persist?.truncateFrom).toBe(3);
    expect(bench.terms).toEqual([1, 1, 3]);
    expect(bench.disk.lastIndex).toBe(3);
  });

  it("4. Append any new entries not already in the log", () => {
    const bench = new Bench({ log: [1, 1, 1] });
    const ready = bench.receive("2", append(1, { term: 1, index: 1 }, [1, 1, 1, 1]));
    expect(ready.persist?.entries.map((e) => e.index)).toEqual([4, 5]);
  });

  it("... and an old request that comes late removes nothing (§5.3: only from the first conflict on)", () => {
    const bench = new Bench({ log: [1, 1, 1, 1] });
    const ready = bench.receive("2", append(1, { term: 1, index: 1 }, [1]));
    expect(ready.persist).toBeNull();
    expect(bench.terms).toEqual([1, 1, 1, 1]);
    expect(bench.answer("appendEntriesResponse")).toMatchObject({ success: true, matchIndex: 2 });
  });

  it.each([
    { leaderCommit: 2, commitIndex: 2 },
    { leaderCommit: 4, commitIndex: 4 },
    { leaderCommit: 9, commitIndex: 4 },
  ])(
    "5. If leaderCommit ($leaderCommit) > commitIndex, set commitIndex = min(leaderCommit, index of last new entry)",
    ({ leaderCommit, commitIndex }) => {
      // Entry 5 is not known to match: it may be of a leader who lost.
      const bench = new Bench({ log: [1, 1, 1, 1, 1], term: 2 });
      bench.receive("2", append(2, { term: 1, index: 3 }, [1], leaderCommit));
      expect(bench.core.commitIndex).toBe(commitIndex);
    },
  );

  it("heartbeats are AppendEntries with no log entries; one resets the follower's timer", () => {
    const bench = new Bench();
    bench.nowMs = 99;
    bench.follow("2", 1);
    expect(bench.answer("heartbeatResponse")).toMatchObject({ success: true, lastLogIndex: 1 });
    expect(bench.deadlineMs).toBe(99 + timeouts.heartbeatTimeoutMs);
  });
});

describe("Fig. 2, RequestVote RPC, receiver implementation", () => {
  const request = (term: number, last: { term: number; index: number }) =>
    ({ kind: "requestVoteRequest", term, last, leadershipTransfer: false }) as const;

  it("1. Reply false if term < currentTerm (§5.1)", () => {
    const bench = new Bench({ term: 3 });
    bench.receive("2", request(2, { term: 9, index: 9 }));
    expect(bench.answer("requestVoteResponse")).toMatchObject({ term: 3, granted: false });
  });

  it.each([
    { votedFor: null, from: "2", granted: true },
    { votedFor: "2", from: "2", granted: true },
    { votedFor: "3", from: "2", granted: false },
  ])(
    "2. If votedFor ($votedFor) is null or candidateId ($from), grant vote: $granted (§5.2)",
    ({ votedFor, from, granted }) => {
      const bench = new Bench({ term: 2, votedFor });
      bench.receive(from, request(2, { term: 1, index: 1 }));
      expect(bench.answer("requestVoteResponse")).toMatchObject({ term: 2, granted });
    },
  );

  it.each([
    { last: { term: 3, index: 1 }, granted: true },
    { last: { term: 2, index: 4 }, granted: true },
    { last: { term: 2, index: 3 }, granted: true },
    { last: { term: 2, index: 2 }, granted: false },
    { last: { term: 1, index: 9 }, granted: false },
  ])(
    "... and candidate's log ($last.term/$last.index) is at least as up-to-date as receiver's (2/3): $granted (§5.4)",
    ({ last, granted }) => {
      const bench = new Bench({ log: [1, 2, 2], term: 3 });
      bench.receive("2", request(4, last));
      expect(bench.answer("requestVoteResponse")).toMatchObject({ term: 4, granted });
      expect(bench.core.currentTerm).toBe(4);
    },
  );

  it("a vote survives a restart: votedFor is read back (§5.2)", () => {
    const bench = new Bench({ term: 2, votedFor: "3" });
    bench.receive("2", request(2, { term: 9, index: 9 }));
    expect(bench.answer("requestVoteResponse").granted).toBe(false);
  });
});

describe("Fig. 2, rules for all servers", () => {
  it("if commitIndex > lastApplied, apply log[lastApplied]: what is committed can be fetched, in order", () => {
    const bench = new Bench({ log: [1, 1, 1] });
    expect(bench.core.committedEntries(1)).toEqual([]);
    bench.receive("2", append(1, { term: 1, index: 3 }, [], 2));
    expect(bench.core.committedEntries(1)?.map((e) => e.index)).toEqual([1, 2]);
    expect(bench.core.committedEntries(3)).toEqual([]);
  });

  it.each(["follower", "candidate", "leader"] as const)(
    "if RPC request or response contains term > currentTerm: set currentTerm, convert to follower (§5.1): a %s",
    (role) => {
      const bench = new Bench();
      if (role === "candidate") bench.becomeCandidate();
      if (role === "leader") bench.becomeLeader();
      bench.receive("3", { kind: "requestVoteResponse", term: 9, granted: false });
      expect([bench.core.role, bench.core.currentTerm]).toEqual(["follower", 9]);
      expect(bench.disk.hardState).toEqual({ currentTerm: 9, votedFor: null });
    },
  );
});

describe("Fig. 2, rules for followers", () => {
  it("respond to RPCs from candidates and leaders, and send nothing else", () => {
    const bench = new Bench();
    bench.receive("2", append(1, { term: 1, index: 1 }));
    expect(bench.sent.map((out) => out.message.kind)).toEqual(["appendEntriesResponse"]);
    bench.wait(99);
    expect(bench.sent).toEqual([]);
  });

  it("if election timeout elapses without receiving AppendEntries or granting vote: convert to candidate", () => {
    const bench = new Bench();
    bench.timeOut();
    // It asks first (thesis §9.6), and its term is what it was.
    expect(bench.core.role).toBe("preCandidate");
    expect(bench.core.currentTerm).toBe(1);
  });

  it("... granting a vote gives the candidate that time", () => {
    const bench = new Bench();
    bench.nowMs = 90;
    const last = { term: 1, index: 1 };
    bench.receive("2", { kind: "requestVoteRequest", term: 2, last, leadershipTransfer: false });
    expect(bench.deadlineMs).toBe(190);
  });
});

describe("Fig. 2, rules for candidates", () => {
  it("on conversion, start election: increment currentTerm, vote for self, send RequestVote to all others", () => {
    const bench = new Bench();
    bench.becomeCandidate();
    expect(bench.disk.hardState).toEqual({ currentTerm: 2, votedFor: "1" });
    const asked = bench.sentOf("requestVoteRequest");
    expect(asked.map((m) => [m.to, m.term])).toEqual([
      ["2", 2],
      ["3", 2],
    ]);
    expect(bench.deadlineMs).toBe(bench.nowMs + timeouts.electionTimeoutMs);
  });

  it.each([
    { servers: "1", votes: [], role: "leader" },
    { servers: "1 2 3", votes: ["2"], role: "leader" },
    { servers: "1 2 3 4 5", votes: ["2"], role: "candidate" },
    { servers: "1 2 3 4 5", votes: ["2", "2"], role: "candidate" },
    { servers: "1 2 3 4 5", votes: ["2", "3"], role: "leader" },
    { servers: "1 2 3 4(nonvoter) 5(nonvoter)", votes: ["4", "5"], role: "candidate" },
  ])(
    "if votes received from majority of servers: become leader ($servers, votes of $votes: $role)",
    ({ servers, votes, role }) => {
      const bench = new Bench({ servers });
      bench.timeOut();
      for (const id of ["2", "3"]) {
        bench.receive(id, { kind: "requestPreVoteResponse", term: 2, granted: true });
      }
      for (const id of votes) {
        bench.receive(id, { kind: "requestVoteResponse", term: 2, granted: true });
      }
      expect(bench.core.role).toBe(role);
    },
  );

  it("if AppendEntries RPC received from new leader: convert to follower", () => {
    const bench = new Bench();
    bench.becomeCandidate();
    bench.receive("3", append(2, { term: 1, index: 1 }));
    expect([bench.core.role, bench.core.leaderId]).toEqual(["follower", "3"]);
    expect(bench.disk.hardState.votedFor).toBe("1");
  });

  it("if election timeout elapses: start new election", () => {
    const bench = new Bench();
    bench.becomeCandidate();
    bench.timeOut();
    expect([bench.core.role, bench.core.currentTerm]).toEqual(["preCandidate", 2]);
    bench.receive("2", { kind: "requestPreVoteResponse", term: 3, granted: true });
    expect([bench.core.role, bench.core.currentTerm]).toEqual(["candidate", 3]);
  });

  it("votes of an earlier term do not count in this one", () => {
    const bench = new Bench();
    bench.becomeCandidate();
    bench.timeOut();
    bench.receive("2", { kind: "requestPreVoteResponse", term: 3, granted: true });
    bench.receive("2", { kind: "requestVoteResponse", term: 2, granted: true });
    expect(bench.core.role).toBe("candidate");
  });
});

describe("Fig. 2, rules for leaders", () => {
  it("upon election: send initial heartbeats; repeat during idle periods to prevent election timeouts", () => {
    const bench = new Bench();
    bench.becomeCandidate();
    bench.receive("2", { kind: "requestVoteResponse", term: 2, granted: true });
    expect(bench.sentOf("heartbeatRequest").map((m) => m.to)).toEqual(["2", "3"]);
    bench.timeOut();
    expect(bench.nowMs % (timeouts.leaderLeaseTimeoutMs / 3)).toBe(0);
    expect(bench.sentOf("heartbeatRequest").map((m) => m.to)).toEqual(["2", "3"]);
  });

  it("if command received from client: append entry to local log, respond after it is committed", () => {
    const bench = new Bench();
    bench.becomeLeader();
    const ready = bench.propose("x");
    expect(ready.proposals).toEqual([{ kind: "appended", proposalId: 0, index: 3, term: 2 }]);
    expect(bench.core.commitIndex).toBe(2);
    expect(bench.acknowledge("2").commitIndex).toBe(3);
  });

  it("if last log index >= nextIndex for a follower: send entries starting at nextIndex", () => {
    const bench = new Bench();
    bench.becomeLeader();
    bench.propose("x");
    const [toTwo, ...others] = bench.sentOf("appendEntriesRequest");
    expect(toTwo).toMatchObject({ to: "2", prev: { term: 2, index: 2 } });
    expect(toTwo?.entries.map((e) => e.index)).toEqual([3]);
    // 3 has not said yet what it has: one request at a time goes there.
    expect(others).toEqual([]);
  });

  it("if successful: update nextIndex and matchIndex for follower", () => {
    const bench = new Bench();
    bench.becomeLeader();
    expect(bench.core.status.peers[0]).toMatchObject({ matchIndex: 2, pace: "replicate" });
  });

  it("if AppendEntries fails because of log inconsistency: decrement nextIndex and retry (§5.3)", () => {
    const bench = new Bench({ log: [1, 1, 1, 1, 1] });
    bench.becomeLeader();
    bench.receive("3", {
      kind: "appendEntriesResponse",
      term: 2,
      success: false,
      lastLogIndex: 2,
      noRetryBackoff: true,
      matchIndex: 6,
      prevLogIndex: 5,
      sentAtMs: 0,
    });
    const retry = bench.answer("appendEntriesRequest");
    expect(retry).toMatchObject({ to: "3", prev: { term: 1, index: 2 } });
    expect(retry.entries.map((e) => e.index)[0]).toBe(3);
  });

  it.each([
    { servers: "1 2 3", acks: ["2"], commits: true },
    { servers: "1 2 3 4 5", acks: ["2"], commits: false },
    { servers: "1 2 3 4 5", acks: ["2", "3"], commits: true },
    { servers: "1 2 3 4(nonvoter)", acks: ["4"], commits: false },
  ])(
    "if N > commitIndex, a majority of matchIndex[i] >= N, and log[N].term == currentTerm: commit ($servers, $acks: $commits)",
    ({ servers, acks, commits }) => {
      const bench = new Bench({ servers });
      bench.timeOut();
      for (const id of ["2", "3"]) {
        bench.receive(id, { kind: "requestPreVoteResponse", term: 2, granted: true });
      }
      for (const id of ["2", "3"]) {
        bench.receive(id, { kind: "requestVoteResponse", term: 2, granted: true });
      }
      for (const id of acks) bench.acknowledge(id);
      expect(bench.core.commitIndex).toBe(commits ? 2 : 0);
    },
  );

  it("... and entries of earlier terms are never committed by counting replicas (§5.4.2)", () => {
    const bench = new Bench({ log: [1, 1, 1, 1, 1] });
    bench.becomeCandidate();
    bench.receive("2", { kind: "requestVoteResponse", term: 2, granted: true });
    bench.acknowledge("2", 5);
    bench.acknowledge("3", 5);
    expect(bench.core.commitIndex).toBe(0);
    bench.acknowledge("3", 6);
    expect(bench.core.commitIndex).toBe(6);
  });

  it("... the leader's own copy counts once it is on its disk (thesis §10.2.1)", () => {
    const bench = new Bench();
    bench.becomeLeader();
    bench.isDiskStalled = true;
    bench.propose("x");
    expect(bench.core.commitIndex).toBe(2);
    bench.persist();
    expect(bench.core.commitIndex).toBe(2);
    bench.acknowledge("2");
    expect(bench.core.commitIndex).toBe(3);

    // With both others, a majority has it without the leader.
    bench.propose("y");
    bench.acknowledge("2");
    expect(bench.core.commitIndex).toBe(3);
    bench.acknowledge("3");
    expect(bench.core.commitIndex).toBe(4);
    expect(bench.core.status.durableIndex).toBe(3);
  });
});

describe("Fig. 13, InstallSnapshot RPC, receiver implementation", () => {
  it("1. Reply immediately if term < currentTerm", () => {
    const bench = new Bench({ term: 3 });
    const snapshot = snapshotOf(1, 9);
    bench.receive("2", { kind: "installSnapshotRequest", term: 2, snapshot });
    expect(bench.answer("installSnapshotResponse")).toMatchObject({ term: 3, success: false });
    expect(bench.core.status.snapshotIndex).toBe(0);
  });

  it("6. If existing log entry has same index and term as snapshot's last included entry, retain log entries following it and reply", () => {
    const bench = new Bench({ log: [1, 1, 2, 2, 2] });
    const snapshot = snapshotOf(2, 3);
    const ready = bench.receive("2", { kind: "installSnapshotRequest", term: 2, snapshot });
    expect(ready.persist).toBeNull();
    expect(bench.terms).toEqual([1, 1, 2, 2, 2]);
    expect(bench.core.commitIndex).toBe(3);
    expect(bench.answer("installSnapshotResponse").success).toBe(true);
  });

  it("7. Discard the entire log; 8. Reset state machine using snapshot contents, and load its cluster configuration", () => {
    const bench = new Bench({ log: [1, 1, 1, 1, 1] });
    bench.isDiskStalled = true;
    const snapshot = { ...snapshotOf(2, 3), configuration: parseConfiguration("1 2 4") };
    const ready = bench.receive("2", { kind: "installSnapshotRequest", term: 2, snapshot });
    expect(ready.persist?.snapshot).toBe(snapshot);
    expect(bench.sent.map((out) => out.afterSequence)).toEqual([ready.persist?.sequence]);
    // The driver finds the snapshot at once, before it is on disk.
    expect(bench.core.committedEntries(1)).toBeNull();
    expect(bench.core.snapshot()).toBe(snapshot);
    expect(bench.core.status).toMatchObject({ firstIndex: 4, lastIndex: 3, commitIndex: 3 });
    expect(bench.core.status.configuration.servers.map((s) => s.id)).toEqual(["1", "2", "4"]);
    bench.persist();
    expect(bench.core.status).toMatchObject({ firstIndex: 4, lastIndex: 3, durableIndex: 3 });
  });

  it("... one that reaches no further than commitIndex changes nothing", () => {
    const bench = new Bench({ log: [1, 1, 1] });
    bench.receive("2", append(1, { term: 1, index: 3 }, [], 3));
    const snapshot = snapshotOf(1, 2);
    const ready = bench.receive("2", { kind: "installSnapshotRequest", term: 1, snapshot });
    expect(ready.persist).toBeNull();
    expect(bench.answer("installSnapshotResponse").success).toBe(true);
  });

  it("the entry after a snapshot finds the snapshot's last entry as its predecessor", () => {
    const bench = new Bench();
    const snapshot = snapshotOf(2, 9);
    bench.receive("2", { kind: "installSnapshotRequest", term: 2, snapshot });
    bench.receive("2", append(2, { term: 2, index: 9 }, [2], 10));
    expect(bench.answer("appendEntriesResponse")).toMatchObject({ success: true, matchIndex: 10 });
    expect(bench.core.committedEntries(10)).toEqual([entryAt(2, 10)]);
  });
});
