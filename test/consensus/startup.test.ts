/** A node with an empty raft_dir, by what it is told and what it then says and asks. */

import { expect, it } from "vitest";
import { Startup } from "../../src/consensus/startup.ts";
import type { RaftEvent } from "../../src/raft/event.ts";
import type { Message } from "../../src/raft/message.ts";
import { timeouts } from "../raft/lab/bench.ts";
import { textCodec } from "../raft/lab/words.ts";
import { MemoryRaftStore } from "../simulation/memory-raft-store.ts";

const readiness = { isReady: true, appliedHeight: 0, priority: 0 };

function begin() {
  let nowMs = 0;
  const timers: { readonly atMs: number; readonly callback: () => void }[] = [];
  const sent: Message[] = [];
  const events: RaftEvent[] = [];
  const store = new MemoryRaftStore(new Uint8Array(16));
  const startup = new Startup(
    {
      id: "1",
      voters: ["1", "2", "3"],
      knownMembers: [],
      heartbeatTimeoutMs: timeouts.heartbeatTimeoutMs,
      electionTimeoutMs: timeouts.electionTimeoutMs,
      firstHeight: 1,
      readiness,
    },
    {
      clock: {
        now: () => nowMs,
        at: (atMs, callback) => void timers.push({ atMs, callback }),
        soon: (callback) => callback(),
      },
      store,
      codec: textCodec,
      send: (message) => sent.push(message),
      onEvent: (event) => events.push(event),
      onDone: () => {},
      onFailed: (error) => {
        throw error;
      },
    },
  );
  startup.begin();
  /** Every question is answered with this term by who has a whole log, for ten election timeouts. */
  const answered = (termOf: (id: string) => number) => {
    while (nowMs < 10 * timeouts.electionTimeoutMs) {
      for (const question of sent.splice(0)) {
        if (question.kind !== "requestPreVoteRequest") continue;
        startup.receive({
          kind: "requestPreVoteResponse",
          from: question.to,
          to: "1",
          id: question.id,
          term: termOf(question.to),
          granted: false,
          standing: { memory: "whole", lastLogIndex: 7, height: 0, baseHeight: 0 },
        });
      }
      nowMs += timeouts.heartbeatTimeoutMs;
      for (const { callback } of timers.splice(0)) callback();
    }
    store.flush();
    return store.hardState.currentTerm;
  };
  return { startup, events, answered };
}

it("begins in the highest term that it is told of", () => {
  expect(begin().answered((id) => Number(id))).toBe(3);
});

it("believes in no term that no cluster has come to: it could never elect again", () => {
  const { startup, events, answered } = begin();
  startup.receive({
    kind: "appendEntriesRequest",
    from: "3",
    to: "1",
    id: 1,
    term: Number.MAX_SAFE_INTEGER,
    prev: { index: 99, term: 5 },
    entries: [],
    leaderCommit: 0,
    sentAtMs: 0,
  });
  const term = answered((id) => (id === "3" ? Number.MAX_SAFE_INTEGER : 5));
  expect(term, "one of two others does not answer, so nothing is decided").toBe(0);
  expect(events).toContainEqual({
    kind: "messageRefused",
    from: "3",
    message: "requestPreVoteResponse",
    reason: `no cluster has come as far as term ${Number.MAX_SAFE_INTEGER}`,
  });
});
