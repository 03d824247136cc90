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
import type { Progress, Waits } from "./progress.ts";
import type { RpcFailure } from "./ready.ts";
import type { RaftServer } from "./server.ts";
import type { LogIndex } from "./types.ts";

/** A restart of a follower or a change of routes is over by then; hashicorp goes on to 10 s. */
const backOffMaxMs = 250;

/**
 * Times the election timeout: longer than the transport waits for any answer before it reports a failure. What is given up
 * sooner is sent once more behind what is still on its way, on a link that is slow already.
 */
const giveUpFactor = 600;

/** How often it is looked whether a snapshot has been read from disk. */
const snapshotReadPollMs = 20;

/** A snapshot is much to send in vain: a link that broke it off is left alone for longer and longer. */
const snapshotBackOffFactor = 10;

export function replicateToAll(server: RaftServer, leadership: Leadership): void {
  for (const progress of leadership.progress.values()) replicate(server, progress);
}

/** Sends whatever this follower may be sent now. */
export function replicate(server: RaftServer, progress: Progress): void {
  const { pace } = progress;
  if (pace.kind === "snapshot") {
    if (server.nowMs < pace.giveUpAtMs) return;
    failSnapshot(server, progress, pace.snapshotIndex);
    return replicate(server, progress);
  }
  if (pace.kind === "probe") {
    if (server.nowMs < pace.retryAtMs) return;
    if (sendAppend(server, progress)) progress.probeSent(waitsFrom(server).giveUpAtMs);
    return;
  }
  if (server.nowMs >= pace.dueMs) {
    if (pace.inFlight.length === 0) {
      sendAppend(server, progress);
      return;
    }
    progress.probeFrom(progress.matchIndex + 1, 0, 0);
    return replicate(server, progress);
  }
  while (progress.hasRoom && progress.nextIndex <= server.log.lastIndex) {
    if (!sendAppend(server, progress)) return;
  }
  if (pace.inFlight.length === 0) sendCommitNotice(server, progress);
}

/**
 * Nothing carries the commit index: it is sent on its own, so that the follower can apply. After a moment,
 * since under load the next entry is about to carry it, at half the messages.
 */
function sendCommitNotice(server: RaftServer, progress: Progress): void {
  if (progress.sentCommitIndex >= Math.min(server.commitIndex, progress.matchIndex)) {
    progress.commitNoticeMs = Number.POSITIVE_INFINITY;
    return;
  }
  const delayMs = server.options.commitNoticeDelayMs ?? 0;
  progress.commitNoticeMs = Math.min(progress.commitNoticeMs, server.nowMs + delayMs);
  if (server.nowMs >= progress.commitNoticeMs) sendAppend(server, progress);
}

/**
 * An idle follower hears one AppendEntries an election timeout: if it restarted unnoticed, that tells
 * it the commit index, which no heartbeat carries.
 */
function waitsFrom({ nowMs, options }: RaftServer): Waits {
  return {
    giveUpAtMs: nowMs + giveUpFactor * options.electionTimeoutMs,
    idleUntilMs: nowMs + options.electionTimeoutMs,
  };
}

/** One AppendEntries from `nextIndex` on; false if those entries are gone, and it is a snapshot's turn. */
function sendAppend(server: RaftServer, progress: Progress): boolean {
  const { log } = server;
  const { nextIndex } = progress;
  const prevIndex = nextIndex - 1;
  const { snapshotLast } = progress;
  // A snapshot that is not the newest may end where the log begins, which does not tell its last term any more.
  const sentTerm = snapshotLast?.index === prevIndex ? snapshotLast.term : null;
  const prevTerm = log.termAt(prevIndex) ?? sentTerm;
  if (prevTerm === null || nextIndex < log.firstIndex) {
    sendSnapshot(server, progress);
    return false;
  }
  const entries =
    nextIndex > log.lastIndex
      ? []
      : log.entries(nextIndex, log.lastIndex, bytesPerAppendMax, entriesPerAppendMax);
  progress.sentCommitIndex = server.commitIndex;
  progress.commitNoticeMs = Number.POSITIVE_INFINITY;
  progress.appendSent(
    prevIndex + entries.length,
    entries.reduce((bytes, entry) => bytes + payloadBytes(entry), 0),
    waitsFrom(server),
  );
  // Not after the log: the leader writes while the followers do (thesis §10.2.1). But after the
  // term, lest a sole voter that crashes here leads the same term twice, with other entries.
  server.sendAfterHardState({
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
  // It is large, and read from disk: it goes only to a server that is there.
  const silentMs = server.nowMs - progress.lastContactMs;
  if (!progress.hasAnswered || silentMs >= server.options.heartbeatTimeoutMs) {
    progress.readingSnapshotIndex = null;
    return progress.probeFrom(progress.nextIndex, server.nowMs + backOffMaxMs, 0);
  }
  if (server.nowMs < progress.nextSnapshotMs) {
    return progress.probeFrom(progress.nextIndex, progress.nextSnapshotMs, 0);
  }
  if (!server.log.prepareSnapshot()) {
    // From there on the log stays: if each newer one took this one's place while it is read, none would ever be sent.
    progress.readingSnapshotIndex ??= server.log.snapshotLast.index;
    return progress.probeFrom(progress.nextIndex, server.nowMs + snapshotReadPollMs, 0);
  }
  const snapshot = server.log.snapshot();
  assert(snapshot !== null, "what is compacted away is in a snapshot", {
    peer: progress.id,
    nextIndex: progress.nextIndex,
  });
  const { index } = snapshot.last;
  progress.snapshotSent(snapshot.last, server.nowMs, waitsFrom(server).giveUpAtMs);
  server.sendAfterHardState({
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
  // From before it lost its disk: it no longer has what it says it has.
  if (response.sentAtMs <= progress.forgottenStamp) return;
  if (response.success) {
    assert(response.matchIndex <= server.log.lastIndex, "a follower matches what we sent", {
      peer: progress.id,
      matchIndex: response.matchIndex,
    });
    progress.matched(response.matchIndex, server.lastStamp, waitsFrom(server));
    return;
  }
  const { pace } = progress;
  // Only a refusal of what is being tried now tells anything. Behind one that ended a pipeline come
  // those of all that was in flight after it.
  if (pace.kind === "snapshot" || response.prevLogIndex < progress.matchIndex) return;
  if (pace.kind === "probe" && response.prevLogIndex !== pace.nextIndex - 1) return;
  // Whatever it acknowledged before, and we have not heard yet: it had lost that when it refused this.
  if (progress.matchIndex === 0) progress.forgottenStamp = response.sentAtMs;
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
  const { pace } = progress;
  const { snapshotIndex: index, success } = response;
  const isOfThisOne = pace.kind === "snapshot" && pace.snapshotIndex === index;
  if (!success) {
    if (isOfThisOne) failSnapshot(server, progress, index);
    return;
  }
  if (isOfThisOne) {
    const durationMs = server.nowMs - pace.sentAtMs;
    server.emit({ kind: "snapshotAccepted", peerId: progress.id, index, durationMs });
  }
  // Also one that was given up: what matched once matches for the rest of the term.
  progress.matched(index, server.lastStamp, waitsFrom(server));
}

function failSnapshot(server: RaftServer, progress: Progress, index: LogIndex): void {
  const longestMs = snapshotBackOffFactor * server.options.electionTimeoutMs;
  const pauseMs = backOffMaxMs * 2 ** progress.snapshotFailures;
  progress.snapshotFailed(server.nowMs + Math.min(pauseMs, longestMs));
  const { id: peerId, snapshotFailures: failures } = progress;
  server.emit({ kind: "snapshotFailed", peerId, index, failures });
}

export function onReplicationFailed(
  server: RaftServer,
  progress: Progress,
  kind: RpcFailure["kind"],
): void {
  const { pace } = progress;
  // What was in flight before the snapshot does not end it, nor the other way round.
  if ((pace.kind === "snapshot") !== (kind === "installSnapshotRequest")) return;
  if (pace.kind === "snapshot") return failSnapshot(server, progress, pace.snapshotIndex);
  if (pace.kind === "probe" && !pace.awaitingReply) return;
  // An idle follower that misses a heartbeat may have restarted, and would not know the commit index.
  const isIdle = pace.kind === "replicate" && pace.inFlight.length === 0;
  if (kind === "heartbeatRequest" && !isIdle) return;
  const [nextIndex, failures] =
    // Nobody has refused where the probe stood.
    pace.kind === "probe" ? [pace.nextIndex, pace.failures + 1] : [progress.matchIndex + 1, 1];
  progress.probeFrom(nextIndex, server.nowMs + backOffMs(failures), failures);
}

/**
 * A follower whose log ends below what it once acknowledged has lost its disk. Its old promise must
 * not be counted any more. Answers to older heartbeats prove nothing; nor does a
 * refused AppendEntries, whose `lastLogIndex` is a hint and may lie below the end of the log.
 */
export function forgetLostMatch(
  server: RaftServer,
  progress: Progress,
  response: HeartbeatResponse,
): void {
  const { matchIndex } = progress;
  if (response.lastLogIndex >= matchIndex || response.sentAtMs <= progress.matchedStamp) return;
  progress.matchIndex = 0;
  progress.forgottenStamp = server.lastStamp;
  progress.sentCommitIndex = 0;
  progress.probeFrom(response.lastLogIndex + 1, 0, 0);
  server.emit({ kind: "matchForgotten", peerId: progress.id, matchIndex });
}

/** The earliest moment at which `replicate` would do more than now. */
export function replicationDeadlineMs({ pace, commitNoticeMs }: Progress): number {
  if (pace.kind === "probe") return pace.retryAtMs;
  return pace.kind === "snapshot" ? pace.giveUpAtMs : Math.min(pace.dueMs, commitNoticeMs);
}

function backOffMs(failures: number): number {
  return Math.min(backOffMaxMs, 5 * 2 ** Math.min(failures, 10));
}
