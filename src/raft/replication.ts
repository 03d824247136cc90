/** The leader's side of AppendEntries and InstallSnapshot, one follower at a time (Raft §5.3, §7). */

import { assert } from "../base/assert.ts";
import { bytesPerAppendMax, entriesPerAppendMax } from "../base/limits.ts";
import type { Leadership } from "./leadership.ts";
import { payloadBytes } from "./log.ts";
import type {
  AppendEntriesResponse,
  HeartbeatResponse,
  InstallSnapshotResponse,
} from "./message.ts";
import type { Progress } from "./progress.ts";
import type { RaftServer } from "./server.ts";

/** A restart of a follower or a change of routes is over by then; hashicorp goes on to 10 s. */
const backOffMaxMs = 250;

export function replicateToAll(server: RaftServer, leadership: Leadership): void {
  for (const progress of leadership.progress.values()) replicate(server, progress);
}

/** Sends whatever this follower may be sent now. */
export function replicate(server: RaftServer, progress: Progress): void {
  const { pace } = progress;
  if (pace.kind === "snapshot") {
    if (server.nowMs < pace.giveUpAtMs) return;
    progress.probeFrom(progress.matchIndex + 1, 0, 0);
    return replicate(server, progress);
  }
  if (pace.kind === "probe") {
    if (server.nowMs < pace.retryAtMs) return;
    if (sendAppend(server, progress)) {
      progress.probeSent(server.nowMs + 10 * server.options.electionTimeoutMs);
    }
    return;
  }
  while (progress.hasRoom && progress.nextIndex <= server.log.lastIndex) {
    if (!sendAppend(server, progress)) return;
  }
  // Nothing to carry the commit index: send it on its own, so that the follower can apply.
  const isIdle = progress.pace.kind === "replicate" && progress.pace.inFlight.length === 0;
  if (isIdle && progress.sentCommitIndex < Math.min(server.commitIndex, progress.matchIndex)) {
    sendAppend(server, progress);
  }
}

/** One AppendEntries from `nextIndex` on; false if those entries are gone, and a snapshot went instead. */
function sendAppend(server: RaftServer, progress: Progress): boolean {
  const { log } = server;
  const { nextIndex } = progress;
  const prevIndex = nextIndex - 1;
  const prevTerm = log.termAt(prevIndex);
  if (prevTerm === null || nextIndex < log.firstIndex) {
    sendSnapshot(server, progress);
    return false;
  }
  const entries =
    nextIndex > log.lastIndex
      ? []
      : log.entries(nextIndex, log.lastIndex, bytesPerAppendMax, entriesPerAppendMax);
  progress.sentCommitIndex = server.commitIndex;
  progress.appendSent(
    prevIndex + entries.length,
    entries.reduce((bytes, entry) => bytes + payloadBytes(entry), 0),
  );
  // Not after the own disk: the leader writes while the followers do (thesis §10.2.1).
  server.sendNow({
    kind: "appendEntriesRequest",
    to: progress.id,
    term: server.currentTerm,
    prev: { term: prevTerm, index: prevIndex },
    entries,
    leaderCommit: server.commitIndex,
    sentAtMs: server.nextStamp(),
  });
  return true;
}

function sendSnapshot(server: RaftServer, progress: Progress): void {
  const snapshot = server.log.snapshot();
  assert(snapshot !== null, "what is compacted away is in a snapshot", {
    peer: progress.id,
    nextIndex: progress.nextIndex,
  });
  const { index } = snapshot.last;
  progress.snapshotSent(index, server.nowMs + 100 * server.options.electionTimeoutMs);
  server.sendNow({
    kind: "installSnapshotRequest",
    to: progress.id,
    term: server.currentTerm,
    snapshot,
  });
  server.emit({ kind: "snapshotSent", peerId: progress.id, index });
}

export function onAppendAnswered(
  server: RaftServer,
  progress: Progress,
  response: AppendEntriesResponse,
): void {
  if (response.success) {
    assert(response.matchIndex <= server.log.lastIndex, "a follower matches what we sent", {
      peer: progress.id,
      matchIndex: response.matchIndex,
    });
    progress.matched(response.matchIndex, server.lastStamp);
    return;
  }
  forgetLostMatch(server, progress, response);
  const { pace } = progress;
  // A refusal of something older than what is being tried now tells nothing.
  if (response.prevLogIndex < progress.matchIndex || pace.kind === "snapshot") return;
  const hint = Math.min(response.prevLogIndex, response.lastLogIndex + 1);
  const nextIndex = Math.max(progress.matchIndex + 1, hint);
  if (response.noRetryBackoff && nextIndex < pace.nextIndex) {
    return progress.probeFrom(nextIndex, 0, 0);
  }
  const failures = pace.kind === "probe" ? pace.failures + 1 : 1;
  progress.probeFrom(nextIndex, server.nowMs + backOffMs(failures), failures);
}

export function onSnapshotAnswered(
  server: RaftServer,
  progress: Progress,
  response: InstallSnapshotResponse,
): void {
  if (progress.pace.kind !== "snapshot") return;
  if (response.success) progress.matched(response.snapshotIndex, server.lastStamp);
  else progress.probeFrom(progress.matchIndex + 1, server.nowMs + backOffMaxMs, 0);
}

export function onReplicationFailed(server: RaftServer, progress: Progress): void {
  const { pace } = progress;
  if (pace.kind === "probe" && !pace.awaitingReply) return;
  const failures = pace.kind === "probe" ? pace.failures + 1 : 1;
  progress.probeFrom(progress.matchIndex + 1, server.nowMs + backOffMs(failures), failures);
}

/**
 * A follower whose log ends below what it once acknowledged has lost its disk. Its old promise must
 * not be counted any more (DESIGN section 9). Answers to older requests prove nothing.
 */
export function forgetLostMatch(
  server: RaftServer,
  progress: Progress,
  response: AppendEntriesResponse | HeartbeatResponse,
): void {
  const { matchIndex } = progress;
  if (response.lastLogIndex >= matchIndex || response.sentAtMs <= progress.matchedStamp) return;
  progress.matchIndex = 0;
  progress.sentCommitIndex = 0;
  progress.probeFrom(response.lastLogIndex + 1, 0, 0);
  server.emit({ kind: "matchForgotten", peerId: progress.id, matchIndex });
}

/** The earliest moment at which `replicate` would do more than now; Infinity if only an answer helps. */
export function replicationDeadlineMs({ pace }: Progress): number {
  if (pace.kind === "probe") return pace.retryAtMs;
  return pace.kind === "snapshot" ? pace.giveUpAtMs : Number.POSITIVE_INFINITY;
}

function backOffMs(failures: number): number {
  return Math.min(backOffMaxMs, 5 * 2 ** Math.min(failures, 10));
}
