/** What a member says that cannot be: refused, told, and without any effect (P12). */

import { describe, expect, it } from "vitest";
import type { Message } from "../../src/raft/message.ts";
import { append, Bench } from "./lab/bench.ts";

/** Follows server 2 in term 3, with entries 1 to 3, of which 2 are committed. */
function follower(): Bench {
  const bench = new Bench();
  bench.receive("2", append(3, { term: 0, index: 0 }, [1, 2, 3], 2));
  bench.persist();
  return bench;
}

const heartbeat = (term: number) => ({ kind: "heartbeatRequest", term, sentAtMs: 0 }) as const;

describe("a contradiction", () => {
  it.each<[string, string, Parameters<Bench["receive"]>[1], Message["kind"]]>([
    [
      "terms that decrease along the log",
      "2",
      append(3, { term: 3, index: 3 }, [3, 2]),
      "appendEntriesResponse",
    ],
    [
      "an entry of a term to come",
      "2",
      append(3, { term: 3, index: 3 }, [4]),
      "appendEntriesResponse",
    ],
    [
      "an entry before the first one",
      "2",
      append(3, { term: 1, index: 0 }, [3]),
      "appendEntriesResponse",
    ],
    ["a heartbeat at the end of all terms", "2", heartbeat(2 ** 53 - 1), "heartbeatResponse"],
    [
      "entries at the end of all terms",
      "3",
      append(2 ** 53 - 1, { term: 3, index: 3 }),
      "appendEntriesResponse",
    ],
    [
      "a campaign at the end of all terms",
      "3",
      {
        kind: "requestVoteRequest",
        term: 2 ** 53 - 1,
        last: { index: 9, term: 3 },
        leadershipTransfer: true,
      },
      "requestVoteResponse",
    ],
    [
      "a snapshot of a term to come",
      "2",
      {
        kind: "installSnapshotRequest",
        term: 3,
        snapshot: {
          last: { index: 9, term: 4 },
          configuration: { servers: [] },
          configurationIndex: 1,
          data: new Uint8Array(0),
        },
      },
      "installSnapshotResponse",
    ],
  ])("%s", (_, from, message, answerKind) => {
    const bench = follower();
    const before = bench.core.status;
    bench.receive(from, message);
    expect(bench.events()).toEqual(["messageRefused"]);
    const answer = bench.answer(answerKind);
    expect(answer).toMatchObject({ to: from, term: 3 });
    expect("success" in answer ? answer.success : "granted" in answer && answer.granted).toBe(
      false,
    );
    expect(bench.core.status).toEqual(before);
  });

  it("in an answer is ignored: a leader goes on", () => {
    const bench = new Bench();
    bench.becomeLeader();
    const { currentTerm } = bench.core;
    bench.receive("2", {
      kind: "heartbeatResponse",
      term: 2 ** 53 - 1,
      success: false,
      lastLogIndex: 0,
      sentAtMs: bench.nowMs,
    });
    expect(bench.events()).toEqual(["messageRefused"]);
    expect(bench.core).toMatchObject({ role: "leader", currentTerm });
  });

  it("is none for a server that comes back to a cluster many terms on", () => {
    const bench = new Bench();
    bench.receive("2", heartbeat(1_000_000));
    expect(bench.core.currentTerm).toBe(1_000_000);
  });
});
