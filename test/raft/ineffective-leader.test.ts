/** Leaders that are heard, so that nobody else can be elected, and that are of no use. */

import { describe, expect, it } from "vitest";
import { replicationStallMinMs, slowestLinkBytesPerMs } from "../../src/base/limits.ts";
import { Bench, timeouts } from "./lab/bench.ts";
import { heartbeatAnswered, leader, peer, ready, refused, unready } from "./lab/leading.ts";

/** For so long, followers 2 and 3 answer heartbeats, and nothing else arrives; returns what happened. */
function hearNothingButHeartbeats(bench: Bench, durationMs: number): string[] {
  const events: string[] = [];
  const endMs = bench.nowMs + durationMs;
  while (bench.nowMs < endMs && bench.core.role === "leader") {
    for (const id of ["2", "3"]) heartbeatAnswered(bench, id, bench.core.status.lastIndex);
    bench.wait(10);
    events.push(...bench.events());
  }
  return events;
}

describe("a leader whose answers come too late for a lease", () => {
  const { leaderLeaseTimeoutMs, electionTimeoutMs } = timeouts;

  /** Followers 2 and 3 answer all the time, what was sent a lease ago and longer; returns what happened. */
  function hearLate(bench: Bench, durationMs: number): string[] {
    const events: string[] = [];
    for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs += 10) {
      const sentAtMs = bench.nowMs - leaderLeaseTimeoutMs;
      const { currentTerm: term, status } = bench.core;
      const answer = { term, success: true, lastLogIndex: status.lastIndex, sentAtMs };
      for (const id of ["2", "3"]) {
        bench.receive(id, { kind: "heartbeatResponse", ...answer, readiness: ready });
        events.push(...bench.events());
      }
      bench.wait(10);
      events.push(...bench.events());
    }
    return events;
  }

  it("hands over after an election timeout, and not before", () => {
    const bench = leader();
    const { leaseLeftMs } = bench.core.status;
    expect(hearLate(bench, (leaseLeftMs ?? 0) + electionTimeoutMs - 20)).toEqual([]);
    expect(hearLate(bench, 40)).toContain("transferStarted");
  });

  it("leads on where one of them comes in time", () => {
    const bench = leader();
    for (let round = 0; round < 5; round++) {
      expect(hearLate(bench, electionTimeoutMs - 50)).toEqual([]);
      heartbeatAnswered(bench, "2", bench.core.status.lastIndex);
      bench.wait(10);
    }
  });

  it("tries again after longer and longer, as no other may do better", () => {
    const bench = leader();
    const tries = hearLate(bench, 10 * electionTimeoutMs).filter(
      (event) => event === "transferStarted",
    );
    expect(tries).toHaveLength(3);
  });
});

describe("an unready leader among members in Go, of which nobody knows whether they are ready", () => {
  const standstillMs = 60_000;

  /** They answer all the time, and store what they are sent; returns what happened. */
  function follow(bench: Bench, durationMs: number): string[] {
    const events: string[] = [];
    const endMs = bench.nowMs + durationMs;
    while (bench.nowMs < endMs) {
      const { currentTerm: term, status } = bench.core;
      const answer = { term, success: true, lastLogIndex: status.lastIndex, sentAtMs: bench.nowMs };
      for (const id of ["2", "3"]) {
        bench.receive(id, { kind: "heartbeatResponse", ...answer });
        events.push(...bench.events());
      }
      bench.wait(10);
      events.push(...bench.events());
    }
    return events;
  }
  const unreadyLeader = () => {
    const bench = leader();
    bench.acknowledge("2");
    bench.acknowledge("3");
    bench.step({ kind: "readiness", readiness: unready });
    bench.events();
    return bench;
  };

  it("asks one of them to lead once it has built nothing for a minute", () => {
    const bench = unreadyLeader();
    expect(follow(bench, standstillMs - 1_000)).toEqual([]);
    expect(follow(bench, 2_000)[0]).toBe("transferStarted");
  });

  it("leads on while it builds blocks all the same", () => {
    const bench = unreadyLeader();
    for (let nth = 0; nth < 4; nth++) {
      expect(follow(bench, standstillMs / 2)).toEqual([]);
      bench.propose("a");
      bench.acknowledge("2");
      bench.acknowledge("3");
      bench.events();
    }
  });

  it("does not count the time in which it was ready, though there was nothing to build", () => {
    const bench = leader();
    bench.acknowledge("2");
    bench.acknowledge("3");
    bench.events();
    expect(follow(bench, 2 * standstillMs)).toEqual([]);
    bench.step({ kind: "readiness", readiness: unready });
    expect(follow(bench, standstillMs - 1_000)).toEqual([]);
    expect(follow(bench, 2_000)[0]).toBe("transferStarted");
  });

  it("leads on for longer where blocks are rarer", () => {
    const bench = leader({}, { standstillMs: 3 * standstillMs });
    bench.acknowledge("2");
    bench.acknowledge("3");
    bench.step({ kind: "readiness", readiness: unready });
    expect(follow(bench, 2 * standstillMs)).toEqual([]);
    expect(follow(bench, 2 * standstillMs)[0]).toBe("transferStarted");
  });

  it("does not count the time in which it stood still itself", () => {
    const bench = unreadyLeader();
    bench.wait(2 * standstillMs);
    bench.events();
    expect(follow(bench, standstillMs / 2)).toEqual([]);
  });
});

describe("a leader that replicates nothing", () => {
  const stallMs = 2_000;

  it("steps down in the end", () => {
    const bench = leader();
    bench.propose("a");
    expect(hearNothingButHeartbeats(bench, replicationStallMinMs - 1_000)).toEqual([]);
    const events = hearNothingButHeartbeats(bench, 2_000);
    expect(events).toEqual(["replicationStalled", "becameFollower"]);
  });

  it("then stands back ten times as long, whoever leads and hands over", () => {
    const bench = leader({}, { replicationStallMs: stallMs });
    bench.propose("a");
    hearNothingButHeartbeats(bench, stallMs + 100);
    const stalledMs = bench.nowMs;
    const isReady = () => {
      bench.follow("2", bench.core.currentTerm + 1);
      return bench.answer("heartbeatResponse").readiness?.isReady;
    };
    expect(bench.deadlineMs - stalledMs).toBeGreaterThanOrEqual(
      4 * timeouts.electionTimeoutMs + 2 * timeouts.heartbeatTimeoutMs,
    );
    bench.wait(9 * stallMs);
    expect(isReady()).toBe(false);
    bench.step({ kind: "processGone", peerId: "2" });
    expect(bench.deadlineMs - bench.nowMs).toBeGreaterThanOrEqual(4 * timeouts.electionTimeoutMs);
    while (bench.core.role === "follower") bench.timeOut();
    expect(bench.sentOf("requestPreVoteRequest")[0]?.readiness?.isReady).toBe(false);
    bench.nowMs = stalledMs + 11 * stallMs;
    expect(isReady()).toBe(true);
  });

  it("then stands back for half an hour at most", () => {
    const bench = leader({}, { replicationStallMs: 10 * 60_000 });
    bench.propose("a");
    const isReady = () => bench.core.status.hasStalled === false;
    hearNothingButHeartbeats(bench, 10 * 60_000 + 100);
    expect([bench.core.role, isReady()]).toEqual(["follower", false]);
    const stepsMs = 60_000;
    for (let waitedMs = 0; waitedMs < 29 * 60_000; waitedMs += stepsMs) {
      bench.follow("2", bench.core.currentTerm + 1);
      bench.wait(stepsMs);
    }
    expect(isReady()).toBe(false);
    bench.follow("2", bench.core.currentTerm + 1);
    bench.wait(2 * stepsMs);
    expect(isReady()).toBe(true);
  });

  it("leads on while a copy is made now and then, though no majority has it", () => {
    const bench = leader({ servers: "1 2 3 4 5" }, { replicationStallMs: stallMs });
    bench.acknowledge("3");
    bench.propose("a", "b");
    hearNothingButHeartbeats(bench, stallMs - 100);
    bench.acknowledge("2", bench.core.commitIndex + 1);
    expect(hearNothingButHeartbeats(bench, stallMs - 100)).toEqual([]);
  });

  it("leads on while nothing waits to be committed", () => {
    const bench = leader({}, { replicationStallMs: stallMs });
    expect(hearNothingButHeartbeats(bench, stallMs + 100)).toEqual([]);
    bench.propose("a");
    expect(hearNothingButHeartbeats(bench, stallMs - 100)).toEqual([]);
  });

  it("leads on while a snapshot is on its way", () => {
    const bench = leader({ log: [1, 1, 1, 1] }, { replicationStallMs: stallMs });
    const { configuration } = bench.core.status;
    const last = { term: 1, index: 3 };
    bench.disk.keepSnapshot({ last, configuration, configurationIndex: 1, data: new Uint8Array() });
    bench.disk.compactThrough(3);
    refused(bench, "3", 4, 0);
    expect(peer(bench, "3")?.pace).toBe("snapshot");
    bench.propose("a");
    expect(hearNothingButHeartbeats(bench, stallMs + 100)).toEqual([]);
  });

  it("leads on where it stood still itself", () => {
    const bench = leader({}, { replicationStallMs: stallMs });
    bench.propose("a");
    bench.wait(stallMs + 1_000);
    expect(bench.events()).toEqual([]);
  });

  it("steps down all the same where it stands still for moments", () => {
    const bench = leader({}, { replicationStallMs: stallMs });
    bench.propose("a");
    hearNothingButHeartbeats(bench, stallMs - 100);
    bench.wait(90);
    expect(hearNothingButHeartbeats(bench, 300)).toContain("replicationStalled");
  });

  it("leads on for what a large entry takes on the slowest of links", () => {
    const bench = leader({}, { replicationStallMs: stallMs });
    bench.propose("x".repeat(5_000));
    const transferMs = (2 * 5_000) / slowestLinkBytesPerMs;
    expect(hearNothingButHeartbeats(bench, stallMs + transferMs - 100)).toEqual([]);
    expect(hearNothingButHeartbeats(bench, 200)).toContain("replicationStalled");
  });

  it("leads on while nothing but its own disk is waited for", () => {
    const bench = leader({ servers: "1 2" }, { replicationStallMs: stallMs });
    bench.isDiskStalled = true;
    bench.propose("a");
    bench.acknowledge("2");
    expect(hearNothingButHeartbeats(bench, 2 * stallMs)).toEqual([]);
    expect(bench.core.role).toBe("leader");
  });

  it("steps down though others have stored entries of older terms, which do not commit", () => {
    const bench = new Bench({ log: [1, 1] }, { replicationStallMs: stallMs });
    bench.becomeCandidate();
    const { currentTerm: term } = bench.core;
    bench.receive("2", { kind: "requestVoteResponse", term, granted: true });
    bench.acknowledge("2", 2);
    expect(bench.core.commitIndex).toBe(0);
    expect(hearNothingButHeartbeats(bench, stallMs + 200)).toContain("replicationStalled");
  });

  it("leads on where it is the only voter", () => {
    const bench = leader({ servers: "1 2(nonvoter) 3(nonvoter)" }, { replicationStallMs: stallMs });
    bench.isDiskStalled = true;
    bench.propose("a");
    expect(hearNothingButHeartbeats(bench, 2 * stallMs)).toEqual([]);
  });

  it("steps down though a non-voter stores everything", () => {
    const servers = "1 2 3 4(nonvoter)";
    const bench = leader({ servers }, { replicationStallMs: stallMs });
    bench.propose("a");
    hearNothingButHeartbeats(bench, stallMs - 100);
    bench.acknowledge("4");
    expect(hearNothingButHeartbeats(bench, 300)).toContain("replicationStalled");
  });
});
