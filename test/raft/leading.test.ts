/** What a leader concludes from answers and failures, and what it does not. */

import { describe, expect, it } from "vitest";
import { defined } from "../../src/base/assert.ts";
import { entrySizeMaxBytes, logCacheMaxBytes, undurableMaxBytes } from "../../src/base/limits.ts";
import { pendingReadsMax } from "../../src/raft/lease.ts";
import { failureOf } from "../../src/raft/ready.ts";
import { Bench, timeouts } from "./lab/bench.ts";
import { failed, heartbeatAnswered, leader, peer, ready, refused, unready } from "./lab/leading.ts";
import { parseConfiguration } from "./lab/words.ts";

describe("what a follower holds", () => {
  it("is forgotten if a heartbeat sent after its promise finds the log shorter (P6)", () => {
    const bench = leader();
    bench.wait(20);
    heartbeatAnswered(bench, "2", 0);
    expect(bench.events()).toEqual(["matchForgotten"]);
    expect(peer(bench, "2")).toMatchObject({ matchIndex: 0, pace: "probe" });
    expect(bench.answer("appendEntriesRequest")).toMatchObject({ to: "2", prev: { index: 0 } });
  });

  it("is not counted any more then", () => {
    const bench = leader({ servers: "1 2 3 4 5" });
    expect(peer(bench, "2")?.matchIndex).toBe(2);
    bench.wait(20);
    heartbeatAnswered(bench, "2", 1);
    bench.acknowledge("3");
    expect(bench.core.commitIndex).toBe(0);
    bench.acknowledge("4");
    expect(bench.core.commitIndex).toBe(2);
  });

  it("is not forgotten for the hint of a refusal, which may lie below the end of the log", () => {
    const bench = leader();
    bench.propose("x");
    bench.wait(20);
    refused(bench, "2", 3, 0);
    expect(bench.events()).toEqual([]);
    expect(peer(bench, "2")).toMatchObject({ matchIndex: 2, pace: "probe" });
    expect(bench.answer("appendEntriesRequest")).toMatchObject({ prev: { index: 2 } });
  });

  it("is not forgotten for an answer to a heartbeat sent before the promise", () => {
    const bench = leader();
    bench.propose("x");
    bench.acknowledge("2");
    bench.receive("2", {
      kind: "heartbeatResponse",
      term: 2,
      success: true,
      lastLogIndex: 2,
      sentAtMs: 0,
    });
    expect(peer(bench, "2")?.matchIndex).toBe(3);
  });
});

describe("a refusal", () => {
  it("of what is not being tried any more changes nothing", () => {
    const bench = leader({ log: [1, 1, 1, 1] });
    refused(bench, "3", 4, 2);
    expect(bench.answer("appendEntriesRequest").prev.index).toBe(2);
    refused(bench, "3", 4, 2);
    expect(bench.sent).toEqual([]);
    // Nor is the probe under way sent once more after a pause.
    bench.wait(15);
    expect(bench.sentOf("appendEntriesRequest")).toEqual([]);
    refused(bench, "3", 2, 0);
    expect(bench.answer("appendEntriesRequest").prev.index).toBe(0);
  });

  it("never leads below what is known to match", () => {
    const bench = leader({ log: [1, 1, 1] });
    bench.propose("x");
    refused(bench, "2", 4, 0);
    expect(bench.answer("appendEntriesRequest").prev.index).toBe(4);
  });
});

describe("a failed RPC", () => {
  it("makes the leader try again after a pause that grows", () => {
    const bench = leader();
    const pausesMs: number[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      failed(bench, "appendEntriesRequest", "3");
      const failedAtMs = bench.nowMs;
      for (let isTried = false; !isTried && bench.nowMs < failedAtMs + 400; ) {
        bench.wait(1);
        isTried = bench.sentOf("appendEntriesRequest").some((message) => message.to === "3");
        bench.acknowledge("2");
      }
      pausesMs.push(bench.nowMs - failedAtMs);
    }
    expect(pausesMs).toEqual([10, 20, 40, 80, 160, 250, 250, 250]);
  });

  it("of a heartbeat makes an idle follower be asked what it has: it may have restarted", () => {
    const bench = leader();
    bench.wait(5);
    bench.acknowledge("2");
    failed(bench, "heartbeatRequest", "2");
    expect(peer(bench, "2")?.pace).toBe("probe");
    bench.wait(10);
    expect(bench.sentOf("appendEntriesRequest").map((m) => m.to)).toContain("2");
  });

  it("is what an answer in term 0 is: that server lost its disk and took nothing (P6)", () => {
    const bench = leader();
    bench.wait(5);
    bench.acknowledge("2");
    bench.wait(20);
    heartbeatAnswered(bench, "2", 0);
    const { sentAtMs, prev, to } = bench.answer("appendEntriesRequest");
    expect([to, prev.index]).toEqual(["2", 0]);
    bench.receive("2", {
      kind: "appendEntriesResponse",
      term: 0,
      success: false,
      lastLogIndex: 0,
      noRetryBackoff: false,
      matchIndex: 0,
      prevLogIndex: 0,
      sentAtMs,
    });
    bench.wait(10);
    expect(bench.sentOf("appendEntriesRequest").map((m) => m.to)).toContain("2");
  });

  it("of an earlier term says nothing", () => {
    const bench = leader();
    bench.step({
      kind: "rpcFailed",
      request: { kind: "appendEntriesRequest", to: "2", id: 0, term: 1 },
    });
    expect(peer(bench, "2")?.pace).toBe("replicate");
  });
});

describe("an idle follower", () => {
  it("hears an AppendEntries once an election timeout, and learns the commit index from it", () => {
    const bench = leader();
    bench.acknowledge("2");
    for (let ms = 0; ms < timeouts.electionTimeoutMs; ms += 20) {
      bench.wait(20);
      if (ms + 20 < timeouts.electionTimeoutMs) {
        expect(bench.sentOf("appendEntriesRequest")).toEqual([]);
      }
      const answers = bench.sentOf("appendEntriesRequest");
      if (answers.length > 0) expect(answers[0]).toMatchObject({ to: "2", leaderCommit: 2 });
      heartbeatAnswered(bench, "2", 2);
    }
  });
});

describe("a proposal", () => {
  it("of a term that is over is answered with the leader of today", () => {
    const bench = leader();
    const { proposals } = bench.step({
      kind: "propose",
      term: 1,
      commands: [{ proposalId: 4, data: new Uint8Array(1), appendedAt: null }],
    });
    expect(proposals).toEqual([{ kind: "notLeader", proposalId: 4, leaderId: "1" }]);
  });

  it("is refused while too much waits for the own disk, though the others commit it", () => {
    const bench = leader();
    bench.isDiskStalled = true;
    const data = new Uint8Array(entrySizeMaxBytes);
    let appended = 0;
    const propose = () => {
      const command = { proposalId: appended, data, appendedAt: null };
      const { proposals } = bench.step({ kind: "propose", term: 2, commands: [command] });
      return proposals[0]?.kind;
    };
    // Such a disk makes unready (P5); nobody says that he is ready, as members in Go say nothing.
    bench.step({ kind: "readiness", readiness: unready });
    while (appended < 100 && propose() === "appended") {
      appended++;
      for (const id of ["2", "3"]) bench.acknowledge(id);
      bench.wait(timeouts.heartbeatTimeoutMs / 2);
      // One of them is asked all the same once the chain would stand still.
      const isFull = appended * data.length >= undurableMaxBytes + logCacheMaxBytes;
      expect(bench.core.status.isTransferring).toBe(isFull);
    }
    expect(appended * data.length).toBeGreaterThan(undurableMaxBytes);
    expect(appended).toBeLessThan(10);
    bench.isDiskStalled = false;
    bench.persist();
    while (bench.core.status.isTransferring) {
      bench.wait(20);
      bench.acknowledge("2");
    }
    expect(propose()).toBe("appended");
  });

  it("too large for any peer is refused, and the others of its batch are not", () => {
    const bench = leader();
    const command = (proposalId: number, sizeBytes: number) => ({
      proposalId,
      data: new Uint8Array(sizeBytes),
      appendedAt: null,
    });
    const commands = [command(1, 1), command(2, entrySizeMaxBytes + 1), command(3, 1)];
    const { proposals } = bench.step({ kind: "propose", term: 2, commands });
    expect(proposals.map((answer) => answer.kind)).toEqual(["appended", "unavailable", "appended"]);
    expect(bench.core.status.lastIndex).toBe(4);
  });
});

describe("an unready leader", () => {
  it("hands over to a ready voter that is heard, and to no other", () => {
    const bench = leader();
    bench.step({ kind: "readiness", readiness: unready });
    for (let ms = 0; ms < timeouts.electionTimeoutMs; ms += 20) {
      bench.wait(20);
      heartbeatAnswered(bench, "2", 2, unready);
    }
    expect(bench.core.status.isTransferring).toBe(false);
    heartbeatAnswered(bench, "2", 2, ready);
    expect(bench.sentOf("timeoutNowRequest").map((m) => m.to)).toEqual(["2"]);
  });

  it("hands over to a voter once more, whatever becomes of the first TimeoutNow", () => {
    const bench = leader();
    const handOver = () => {
      bench.step({ kind: "transferLeadership", targetId: "2" });
      const [request] = bench.sentOf("timeoutNowRequest");
      return failureOf(defined(request, "the target has the whole log"));
    };
    const first = handOver();
    for (let ms = 0; ms < timeouts.electionTimeoutMs; ms += 20) {
      bench.wait(20);
      heartbeatAnswered(bench, "2", 2, ready);
    }
    expect(bench.core.status.isTransferring).toBe(false);
    const second = handOver();
    bench.step({ kind: "rpcFailed", request: first });
    expect(bench.core.status.isTransferring).toBe(true);
    bench.step({ kind: "rpcFailed", request: second });
    expect(bench.core.status.isTransferring).toBe(false);
  });

  it("goes by a voter's newest answer, and not by one that the voter's disk held back", () => {
    const bench = leader();
    const askedMs = bench.nowMs;
    bench.step({ kind: "readiness", readiness: unready });
    for (let ms = 0; ms < timeouts.electionTimeoutMs; ms += 20) {
      bench.wait(20);
      heartbeatAnswered(bench, "2", 2, unready);
    }
    bench.receive("2", {
      kind: "appendEntriesResponse",
      term: 2,
      success: true,
      lastLogIndex: 2,
      noRetryBackoff: false,
      matchIndex: 2,
      prevLogIndex: 1,
      sentAtMs: askedMs,
      readiness: ready,
    });
    expect(bench.core.status.isTransferring).toBe(false);
  });
});

describe("before an entry of its term is committed, a leader", () => {
  function newLeader(): Bench {
    const bench = new Bench();
    bench.becomeCandidate();
    bench.receive("2", { kind: "requestVoteResponse", term: 2, granted: true });
    return bench;
  }

  it("confirms no read: it does not know yet what is committed (Raft §8)", () => {
    const bench = newLeader();
    bench.step({ kind: "confirmLeadership", readId: 7 });
    bench.wait(20);
    heartbeatAnswered(bench, "2", 1);
    expect(bench.readies.flatMap((output) => output.reads)).toEqual([]);
    bench.acknowledge("2");
    const reads = bench.readies.flatMap((output) => output.reads);
    expect(reads).toEqual([{ kind: "confirmed", readId: 7, readIndex: 2 }]);
  });

  it("keeps only so many reads waiting for it", () => {
    const bench = newLeader();
    for (let readId = 0; readId < pendingReadsMax; readId++) {
      expect(bench.step({ kind: "confirmLeadership", readId }).reads).toEqual([]);
    }
    const { reads } = bench.step({ kind: "confirmLeadership", readId: pendingReadsMax });
    expect(reads).toEqual([{ kind: "refused", readId: pendingReadsMax, leaderId: "1" }]);
  });

  it("changes no configuration (the correction of thesis §4.1)", () => {
    // Entry 2 holds a configuration, so the first entry of the term is a no-op.
    const bench = newLeader();
    bench.acknowledge("2");
    bench.timeOut();
    const change = parseConfiguration("1 2 3 4");
    bench.receive("3", { kind: "requestVoteResponse", term: 5, granted: false });
    bench.becomeCandidate();
    bench.receive("2", { kind: "requestVoteResponse", term: 6, granted: true });
    bench.step({ kind: "proposeConfiguration", configuration: change });
    expect(bench.events()).toEqual(["configurationRefused"]);
    bench.acknowledge("2");
    bench.step({ kind: "proposeConfiguration", configuration: change });
    expect(bench.events()).toEqual(["configurationChanged"]);
  });
});

describe("a lease", () => {
  it("runs from when the answered request was sent, not from when the answer came", () => {
    const bench = leader();
    bench.wait(20);
    bench.nowMs += 15;
    bench.receive("2", {
      kind: "heartbeatResponse",
      term: 2,
      success: true,
      lastLogIndex: 2,
      sentAtMs: bench.nowMs - 15,
    });
    expect(bench.core.status.leaseLeftMs).toBe(timeouts.leaderLeaseTimeoutMs - 15);
  });

  it("needs a majority of voters: learners do not extend it", () => {
    const bench = new Bench({ servers: "1 2 3 4(nonvoter)" });
    bench.becomeLeader();
    bench.wait(70);
    heartbeatAnswered(bench, "4", 2);
    expect(bench.core.leaseUntilMs).toBeLessThanOrEqual(bench.nowMs);
  });
});
