import { describe, expect, it } from "vitest";
import { appendsInFlightMax, bytesInFlightMax } from "../../src/base/limits.ts";
import { Progress } from "../../src/raft/progress.ts";

const waits = { giveUpAtMs: 1000, idleUntilMs: 100 };

function replicating(matchIndex = 5): Progress {
  const progress = new Progress("2", matchIndex + 1, 0);
  progress.matched(matchIndex, 1, waits);
  return progress;
}

describe("Progress", () => {
  it("begins as a probe, with nothing known", () => {
    const progress = new Progress("2", 9, 0);
    expect(progress).toMatchObject({ matchIndex: 0, nextIndex: 9, hasRoom: false });
    expect(progress.pace).toMatchObject({ kind: "probe", awaitingReply: false });
  });

  it("replicates from the first success on, behind what matched", () => {
    const progress = replicating(5);
    expect(progress).toMatchObject({ matchIndex: 5, nextIndex: 6, hasRoom: true });
    expect(progress.pace).toMatchObject({ kind: "replicate", dueMs: 100 });
  });

  it("moves nextIndex as it sends, without waiting", () => {
    const progress = replicating(5);
    progress.appendSent(7, 10, waits);
    progress.appendSent(8, 10, waits);
    expect(progress.nextIndex).toBe(9);
    expect(progress.pace).toMatchObject({ inFlightBytes: 20, dueMs: 1000 });
  });

  it.each([
    { index: 6, left: 2 },
    { index: 7, left: 1 },
    { index: 8, left: 0 },
    { index: 4, left: 2 },
  ])("an answer for $index leaves $left requests in flight", ({ index, left }) => {
    const progress = replicating(5);
    progress.appendSent(7, 10, waits);
    progress.appendSent(8, 10, waits);
    progress.matched(index, 2, waits);
    expect(progress.pace).toMatchObject({
      inFlightBytes: 10 * left,
      dueMs: left > 0 ? 1000 : 100,
    });
  });

  it("matchIndex never falls by an answer that comes late", () => {
    const progress = replicating(5);
    progress.matched(3, 7, waits);
    expect(progress).toMatchObject({ matchIndex: 5, matchedStamp: 1 });
  });

  it("has room for so many requests", () => {
    const progress = replicating(0);
    for (let sent = 1; sent <= appendsInFlightMax; sent++) {
      expect(progress.hasRoom).toBe(true);
      progress.appendSent(sent, 1, waits);
    }
    expect(progress.hasRoom).toBe(false);
  });

  it("has room for so many bytes", () => {
    const progress = replicating(0);
    progress.appendSent(1, bytesInFlightMax, waits);
    expect(progress.hasRoom).toBe(false);
    progress.matched(1, 2, waits);
    expect(progress.hasRoom).toBe(true);
  });

  it("in a snapshot, an answer from before it says nothing about it", () => {
    const progress = replicating(5);
    progress.snapshotSent({ term: 1, index: 50 }, 0, 9999);
    progress.matched(7, 2, waits);
    expect(progress.pace.kind).toBe("snapshot");
    expect(progress).toMatchObject({ matchIndex: 7, nextIndex: 51 });
    progress.matched(50, 3, waits);
    expect(progress.pace).toMatchObject({ kind: "replicate", nextIndex: 51 });
  });

  it("retryNow ends a pause, but not the wait for an answer", () => {
    const progress = new Progress("2", 9, 0);
    progress.probeFrom(9, 500, 3);
    progress.retryNow();
    expect(progress.pace).toMatchObject({ retryAtMs: 0, failures: 3 });
    progress.probeSent(1000);
    progress.retryNow();
    expect(progress.pace).toMatchObject({ retryAtMs: 1000, awaitingReply: true });
  });
});
