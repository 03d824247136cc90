/** Who is granted what, in hashicorp's order of checks (RequestVote, RequestPreVote), and readiness (P5). */

import { describe, expect, it } from "vitest";
import { defined } from "../../src/base/assert.ts";
import { failureOf } from "../../src/raft/ready.ts";
import type { Readiness } from "../../src/raft/types.ts";
import { append, Bench, timeouts } from "./lab/bench.ts";

const last = { term: 1, index: 1 };
const vote = { kind: "requestVoteRequest", term: 2, last, leadershipTransfer: false } as const;
const preVote = { kind: "requestPreVoteRequest", term: 2, last } as const;
const unready: Readiness = { isReady: false, appliedHeight: 0, priority: 0 };

function granted(bench: Bench): boolean {
  const [answer] = [
    ...bench.sentOf("requestVoteResponse"),
    ...bench.sentOf("requestPreVoteResponse"),
  ];
  return answer?.granted ?? false;
}

describe("a vote", () => {
  it("is refused to a stranger, whose term raises nothing", () => {
    const bench = new Bench();
    bench.receive("9", { ...vote, term: 7 });
    expect([granted(bench), bench.core.currentTerm]).toEqual([false, 1]);
  });

  it("is refused while a leader is heard, and the term raises nothing", () => {
    const bench = new Bench();
    bench.follow("3", 1);
    bench.nowMs = timeouts.heartbeatTimeoutMs - 1;
    bench.receive("2", { ...vote, term: 7 });
    expect([granted(bench), bench.core.currentTerm]).toEqual([false, 1]);
    expect(bench.events()).toContain("voteRefused");
  });

  it("is granted once the leader has been silent for the heartbeat timeout", () => {
    const bench = new Bench({}, { heartbeatTimeoutMs: 100 });
    bench.follow("3", 1);
    bench.step({ kind: "tick" });
    bench.nowMs = 100;
    bench.receive("2", vote);
    expect(granted(bench)).toBe(true);
  });

  it("is granted to the leader itself, and to whom it hands over", () => {
    const bench = new Bench();
    bench.follow("3", 1);
    bench.receive("2", { ...vote, leadershipTransfer: true });
    expect(granted(bench)).toBe(true);
    bench.follow("2", 2);
    bench.receive("2", { ...vote, term: 3 });
    expect(granted(bench)).toBe(true);
  });

  it("is refused to a member without a vote, whose term counts", () => {
    const bench = new Bench({ servers: "1 2 3(nonvoter)" });
    bench.receive("3", { ...vote, term: 7 });
    expect([granted(bench), bench.core.currentTerm]).toEqual([false, 7]);
  });

  it("is granted to anybody by a server that has no configuration", () => {
    const bench = new Bench({ log: [] });
    bench.receive("9", vote);
    expect(granted(bench)).toBe(true);
  });

  it("is refused by a leader, which knows itself", () => {
    const bench = new Bench();
    bench.becomeLeader();
    bench.receive("3", { ...vote, term: 9, last: { term: 2, index: 2 } });
    expect([granted(bench), bench.core.role]).toEqual([false, "leader"]);
  });

  it("buys time when it is granted, and none when it is refused", () => {
    const bench = new Bench({ log: [1, 1] });
    const { deadlineMs } = bench;
    bench.nowMs = 50;
    bench.receive("2", vote);
    expect([granted(bench), bench.core.currentTerm]).toEqual([false, 2]);
    expect(bench.deadlineMs).toBe(deadlineMs);
    bench.receive("3", { ...vote, term: 3, last: { term: 1, index: 2 } });
    expect(granted(bench)).toBe(true);
    expect(bench.deadlineMs).toBe(deadlineMs + 50);
  });

  it("asked for twice is granted twice, and written once", () => {
    const bench = new Bench();
    bench.receive("2", vote);
    const again = bench.receive("2", vote);
    expect([granted(bench), again.persist]).toEqual([true, null]);
  });

  it("asked for again before the first is on disk waits as well", () => {
    const bench = new Bench();
    bench.isDiskStalled = true;
    const first = bench.receive("2", vote);
    bench.receive("2", vote);
    expect(bench.sent[0]?.afterSequence).toBe(first.persist?.sequence);
  });
});

describe("a pre-vote", () => {
  it("promises nothing: no write, no term, no timer", () => {
    const bench = new Bench();
    const { deadlineMs } = bench;
    bench.nowMs = 50;
    const ready = bench.receive("2", { ...preVote, term: 9 });
    expect(granted(bench)).toBe(true);
    expect(ready.persist).toBeNull();
    expect([bench.core.currentTerm, bench.deadlineMs]).toEqual([1, deadlineMs]);
    // hashicorp echoes the term that was asked for.
    expect(bench.answer("requestPreVoteResponse").term).toBe(9);
  });

  it.each([
    { why: "a stranger", from: "9", request: preVote },
    { why: "an old term", from: "2", request: { ...preVote, term: 0 } },
    { why: "a log behind", from: "2", request: { ...preVote, last: { term: 0, index: 0 } } },
  ])("is refused to $why", ({ from, request }) => {
    const bench = new Bench();
    bench.receive(from, request);
    expect(granted(bench)).toBe(false);
  });

  it("is refused while a leader is heard, except to that leader", () => {
    const bench = new Bench();
    bench.follow("3", 1);
    bench.receive("2", preVote);
    expect(granted(bench)).toBe(false);
    bench.receive("3", preVote);
    expect(granted(bench)).toBe(true);
  });

  it("of an unready server is refused by a ready one, for four election timeouts without a leader", () => {
    const bench = new Bench();
    bench.nowMs = 4 * timeouts.electionTimeoutMs - 1;
    bench.receive("2", { ...preVote, term: 9, readiness: unready });
    expect(granted(bench)).toBe(false);
    bench.nowMs++;
    bench.receive("2", { ...preVote, term: 9, readiness: unready });
    expect(granted(bench)).toBe(true);
  });

  it.each([
    { why: "the other says nothing, as Go does", mine: null, readiness: undefined },
    { why: "neither is ready", mine: unready, readiness: unready },
  ])("is granted if $why", ({ mine, readiness }) => {
    const bench = new Bench();
    if (mine !== null) bench.step({ kind: "readiness", readiness: mine });
    bench.receive("2", { ...preVote, ...(readiness === undefined ? {} : { readiness }) });
    expect(granted(bench)).toBe(true);
  });
});

/** The number of the last request for the vote of server 2. */
function lastAsked(bench: Bench): number {
  const request = bench.sentOf("requestVoteRequest").find(({ to }) => to === "2");
  return defined(request, "a request for the vote of 2").id;
}

/** Who is asked for a vote in the last step, without waiting for the disk. */
function asked(bench: Bench): readonly string[] {
  return bench.sent.flatMap(({ message, afterSequence }) =>
    message.kind === "requestVoteRequest" && afterSequence === 0 ? [message.to] : [],
  );
}

describe("a candidacy", () => {
  it("is not for a server without a vote", () => {
    const bench = new Bench({ servers: "1(nonvoter) 2 3" });
    bench.timeOut();
    bench.timeOut();
    expect([bench.core.role, bench.sent]).toEqual(["follower", []]);
  });

  it("waits twice as long in an unready server (P5)", () => {
    const bench = new Bench();
    bench.step({ kind: "readiness", readiness: unready });
    bench.follow("2", 1);
    expect(bench.deadlineMs).toBe(2 * timeouts.heartbeatTimeoutMs);
  });

  it("whose pre-votes are refused leaves the term alone, and is repeated", () => {
    const bench = new Bench();
    bench.timeOut();
    for (const id of ["2", "3"]) {
      bench.receive(id, { kind: "requestPreVoteResponse", term: 2, granted: false });
    }
    expect([bench.core.role, bench.core.currentTerm]).toEqual(["preCandidate", 1]);
    bench.timeOut();
    expect(bench.sentOf("requestPreVoteRequest").map((m) => m.term)).toEqual([2, 2]);
  });

  it("takes a failed RPC for a refusal; a grant that comes after all counts (hashicorp)", () => {
    const bench = new Bench();
    bench.becomeCandidate();
    for (const request of bench.sentOf("requestVoteRequest")) {
      bench.step({ kind: "rpcFailed", request: failureOf(request) });
    }
    // Lost: the next one is not an election timeout away.
    expect(bench.deadlineMs - bench.nowMs).toBeLessThanOrEqual(timeouts.heartbeatTimeoutMs);
    bench.receive("3", { kind: "requestVoteResponse", term: 2, granted: true });
    expect(bench.core.role).toBe("leader");
  });

  it("asks while it writes its own vote, and does not win without it, whoever votes for it", () => {
    const bench = new Bench();
    bench.isDiskStalled = true;
    bench.becomeCandidate();
    expect(asked(bench)).toEqual(["2", "3"]);
    for (const id of ["2", "3"]) {
      bench.receive(id, { kind: "requestVoteResponse", term: 2, granted: true });
    }
    expect(bench.core.role).toBe("candidate");
    bench.persist();
    expect(bench.core.role).toBe("leader");
  });

  it("does not ask before its log is on disk: a later request in the same term could speak of a shorter one", () => {
    const bench = new Bench();
    bench.isDiskStalled = true;
    bench.receive("2", append(1, { index: 1, term: 1 }, [1]));
    bench.wait(2 * timeouts.heartbeatTimeoutMs);
    bench.becomeCandidate();
    expect([bench.core.role, asked(bench)]).toEqual(["candidate", []]);
    bench.persist();
    expect(asked(bench)).toEqual(["2", "3"]);
  });

  it("that ends before its own vote is on disk is no new term; it is asked again, and older votes do not count (P6)", () => {
    const bench = new Bench();
    bench.isDiskStalled = true;
    bench.becomeCandidate();
    const older = {
      kind: "requestVoteResponse",
      term: 2,
      granted: true,
      id: lastAsked(bench),
    } as const;
    const failures = bench.sentOf("requestVoteRequest").map(failureOf);
    bench.receive("2", older);
    bench.wait(10 * timeouts.electionTimeoutMs);
    expect([bench.core.role, bench.core.currentTerm]).toEqual(["candidate", 2]);
    bench.persist();
    expect(asked(bench)).toEqual(["2", "3"]);
    const newer = { ...older, id: lastAsked(bench) };
    const { deadlineMs } = bench;
    bench.receive("2", older);
    for (const request of failures) bench.step({ kind: "rpcFailed", request });
    expect([bench.core.role, bench.deadlineMs]).toEqual(["candidate", deadlineMs]);
    bench.receive("2", newer);
    expect([bench.core.role, bench.core.currentTerm]).toEqual(["leader", 2]);
  });

  it("asks, and its time begins, with its own vote on disk where the disk was behind already, or a leader hands over", () => {
    const behind = new Bench();
    behind.isDiskStalled = true;
    behind.follow("2", 3);
    behind.wait(2 * timeouts.heartbeatTimeoutMs);
    behind.becomeCandidate();
    const target = new Bench();
    target.follow("2", 1);
    target.wait(10);
    target.isDiskStalled = true;
    target.receive("2", { kind: "timeoutNowRequest" });
    for (const bench of [behind, target]) {
      bench.wait(2 * timeouts.electionTimeoutMs);
      expect([bench.core.role, asked(bench)]).toEqual(["candidate", []]);
      bench.persist();
      expect(asked(bench)).toEqual(["2", "3"]);
      expect(bench.deadlineMs - bench.nowMs).toBeGreaterThanOrEqual(timeouts.electionTimeoutMs);
    }
  });

  it("does not take the failure of a pre-vote, or of an earlier round, for a refusal", () => {
    const bench = new Bench();
    bench.becomeCandidate();
    const { deadlineMs } = bench;
    const id = lastAsked(bench);
    for (const to of ["2", "3"]) {
      const earlier = { kind: "requestVoteRequest", to, id: 0, term: 1 } as const;
      const preVote = { kind: "requestPreVoteRequest", to, id, term: 2 } as const;
      for (const request of [earlier, preVote]) bench.step({ kind: "rpcFailed", request });
    }
    expect(bench.deadlineMs).toBe(deadlineMs);
  });

  it("ends at the first sign of a newer term; one above ours is only what we asked for", () => {
    const bench = new Bench();
    bench.timeOut();
    bench.receive("2", { kind: "requestPreVoteResponse", term: 2, granted: false });
    expect(bench.core.role).toBe("preCandidate");
    bench.receive("2", { kind: "requestPreVoteResponse", term: 3, granted: false });
    expect([bench.core.role, bench.core.currentTerm]).toEqual(["follower", 3]);
  });

  it("by TimeoutNow skips the pre-vote, unless another leads or the server has no vote", () => {
    const target = new Bench();
    target.follow("2", 1);
    target.receive("2", { kind: "timeoutNowRequest" });
    expect(target.sentOf("requestVoteRequest").map((m) => m.leadershipTransfer)).toEqual([
      true,
      true,
    ]);

    const bystander = new Bench();
    bystander.follow("3", 1);
    bystander.receive("2", { kind: "timeoutNowRequest" });
    expect([bystander.core.role, bystander.core.currentTerm]).toEqual(["follower", 1]);

    const learner = new Bench({ servers: "1(nonvoter) 2 3" });
    learner.receive("2", { kind: "timeoutNowRequest" });
    expect(learner.core.role).toBe("follower");
  });
});

describe("a follower", () => {
  it("does not believe in two leaders of one term: that is a bug, and it stops", () => {
    const bench = new Bench();
    bench.follow("2", 1);
    expect(() => bench.receive("3", append(1, last))).toThrow("a term has one leader");
  });

  it("stops when a leader contradicts what is committed", () => {
    const bench = new Bench({ log: [1, 1, 1] });
    bench.receive("2", append(1, { term: 1, index: 3 }, [], 3));
    expect(() => bench.receive("3", append(2, { term: 2, index: 3 }))).toThrow(
      "a leader holds what is committed",
    );
  });

  it("stops also where what comes after it would fit", () => {
    const bench = new Bench({ log: [1, 2, 2] });
    bench.receive("2", append(2, { term: 2, index: 3 }, [], 3));
    expect(() => bench.receive("3", append(3, { term: 2, index: 2 }, [3, 3]))).toThrow(
      "a leader holds what is committed",
    );
  });
});
