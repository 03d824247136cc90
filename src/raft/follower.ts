/** A follower: it takes what the leader sends, and nothing else (Raft §5.2, §5.3, §7). */

import { assert } from "../base/assert.ts";
import type { AppendEntriesRequest, HeartbeatRequest, InstallSnapshotRequest } from "./message.ts";
import { mindLostCopies, regain } from "./recovery.ts";
import type { RaftServer } from "./server.ts";
import type { Entry, LogIndex, ServerId, Term } from "./types.ts";

/** Follower in `term`, which is the current one or a newer. The caller says why, for the log. */
export function becomeFollower(server: RaftServer, term: Term, reason: string): void {
  const steppedDown = server.role.kind === "leader" ? server.role.leadership : null;
  const isNews = server.role.kind !== "follower" || term > server.currentTerm;
  if (term > server.currentTerm) server.setHardState({ currentTerm: term, votedFor: null });
  if (!isNews) return;
  server.leader = null;
  if (steppedDown !== null) {
    server.leaderContactMs = server.nowMs;
    for (const { readId } of steppedDown.reads) {
      server.answerRead({ kind: "refused", readId, leaderId: null });
    }
    if (steppedDown.transfer !== null) {
      const { targetId, timeoutNowId } = steppedDown.transfer;
      const outcome = timeoutNowId === null ? "aborted" : "done";
      server.emit({ kind: "transferEnded", targetId, outcome });
    }
  }
  // Only a vote buys a candidate time (Raft §5.2): one that is refused keeps nobody from campaigning.
  const electionDeadlineMs =
    server.role.kind === "follower"
      ? server.role.electionDeadlineMs
      : electionDeadline(server, server.nowMs);
  server.role = { kind: "follower", electionDeadlineMs };
  server.emit({ kind: "becameFollower", term: server.currentTerm, reason });
}

/** For how long after the last contact with a leader the ready keep an unready one from leading (P5). */
export function unreadyWaitMs(server: RaftServer): number {
  return 4 * server.options.electionTimeoutMs;
}

/**
 * When a follower that heard of a leader at `sinceMs` campaigns. An unready one waits twice as long (P5); one that led to no
 * effect waits until even such a one could have won.
 */
export function electionDeadline(server: RaftServer, sinceMs: number): number {
  const patience = server.readiness.isReady ? 1 : 2;
  const waitMs = patience * server.spread(server.options.heartbeatTimeoutMs);
  return sinceMs + standBackMs(server) + waitMs;
}

/** How much longer one waits that led to no effect. */
export function standBackMs(server: RaftServer): number {
  return server.hasStalled ? unreadyWaitMs(server) : 0;
}

export function handleHeartbeat(server: RaftServer, request: HeartbeatRequest): void {
  const lastLogIndex = server.log.lastIndex;
  const success = acceptLeader(server, request.from, request.term);
  // From memory: a stalled disk must not cost the leader its lease. Only a term that is not yet
  // durable holds the answer back.
  server.sendAfterHardState({
    kind: "heartbeatResponse",
    to: request.from,
    id: request.id,
    term: server.currentTerm,
    success,
    lastLogIndex,
    sentAtMs: request.sentAtMs,
    readiness: server.readiness,
  });
}

export function handleAppendEntries(server: RaftServer, request: AppendEntriesRequest): void {
  const { prev, entries } = request;
  const lastLogIndex = server.log.lastIndex;
  const answer = (outcome: { success: boolean; lastLogIndex: LogIndex; mismatch: boolean }) =>
    server.sendAfterLog({
      kind: "appendEntriesResponse",
      to: request.from,
      id: request.id,
      term: server.currentTerm,
      success: outcome.success,
      lastLogIndex: outcome.lastLogIndex,
      noRetryBackoff: outcome.mismatch,
      matchIndex: prev.index + entries.length,
      prevLogIndex: prev.index,
      sentAtMs: request.sentAtMs,
      readiness: server.readiness,
    });

  if (!acceptLeader(server, request.from, request.term)) {
    return answer({ success: false, lastLogIndex, mismatch: false });
  }
  mindLostCopies(server, request);
  const conflict = conflictBefore(server, request);
  if (conflict !== null) {
    return answer({ success: false, lastLogIndex: conflict.hint, mismatch: true });
  }
  appendNew(server, request.from, entries);
  const matchIndex = prev.index + entries.length;
  const commitIndex = Math.min(request.leaderCommit, matchIndex);
  if (commitIndex > server.commitIndex) server.commitThrough(commitIndex);
  joinLeader(server);
  regain(server, request, matchIndex);
  answer({ success: true, lastLogIndex, mismatch: false });
}

export function handleInstallSnapshot(server: RaftServer, request: InstallSnapshotRequest): void {
  const { snapshot } = request;
  const success = acceptLeader(server, request.from, request.term);
  if (success && snapshot.last.index > server.commitIndex) {
    if (server.log.matches(snapshot.last)) {
      // The log goes on past the snapshot and agrees with it: keep it (Raft §7).
      server.commitThrough(snapshot.last.index);
    } else {
      server.installSnapshot(snapshot);
      const { index } = snapshot.last;
      server.emit({ kind: "snapshotInstalled", leaderId: request.from, index });
    }
  }
  if (success) joinLeader(server);
  server.sendAfterLog({
    kind: "installSnapshotResponse",
    to: request.from,
    id: request.id,
    term: server.currentTerm,
    success,
    snapshotIndex: snapshot.last.index,
  });
}

/** Whether the sender leads the current term; if it does, it has now been heard. */
function acceptLeader(server: RaftServer, leaderId: ServerId, term: Term): boolean {
  if (term < server.currentTerm) return false;
  assert(
    server.role.kind !== "leader" || term > server.currentTerm,
    "a term has one leader (Raft §5.2)",
    { term, leaderId, id: server.id },
  );
  if (term > server.currentTerm || server.role.kind !== "follower") {
    becomeFollower(server, term, `${leaderId} leads term ${term}`);
  }
  if (server.leader === null || server.leader.id !== leaderId) {
    assert(server.leader === null, "a term has one leader (Raft §5.2)", {
      term,
      leaderId,
      known: server.leader?.id,
    });
    server.leader = { id: leaderId, joined: false };
  }
  server.leaderContactMs = server.nowMs;
  if (server.role.kind === "follower") {
    server.role.electionDeadlineMs = electionDeadline(server, server.nowMs);
  }
  return true;
}

/** This log is known to match the leader's. */
function joinLeader(server: RaftServer): void {
  const { leader, currentTerm: term } = server;
  if (leader === null || leader.joined) return;
  leader.joined = true;
  server.emit({ kind: "followingLeader", term, leaderId: leader.id });
}

/**
 * null if the log holds the entry before the new ones; else a hint for the leader where to look: the
 * last entry before the term that conflicts, for none of that term can match (Raft §5.3, end).
 */
function conflictBefore(
  server: RaftServer,
  { prev }: AppendEntriesRequest,
): { readonly hint: LogIndex } | null {
  const { log, commitIndex } = server;
  if (prev.index > log.lastIndex) return { hint: log.lastIndex };
  const matches = log.matches(prev);
  // A leader holds all that is committed (Raft §5.4), also what this server has compacted away.
  if (prev.index <= commitIndex) {
    assert(matches || log.termAt(prev.index) === null, "a leader holds what is committed", {
      ...prev,
    });
    return null;
  }
  if (matches) return null;
  return { hint: log.firstIndexOfTerm(prev.index, commitIndex) - 1 };
}

/** Skips what the log already holds; from the first difference on the leader is right (Raft §5.3). */
function appendNew(server: RaftServer, leaderId: ServerId, entries: readonly Entry[]): void {
  const { log, commitIndex } = server;
  for (const { index, term } of entries) {
    if (index > commitIndex) break;
    const heldTerm = log.termAt(index);
    // Compacted, it was committed. Any other that differs shows that safety is lost (Raft §5.4).
    assert(heldTerm === null || heldTerm === term, "a leader holds what is committed", { index });
  }
  const firstNew = entries.findIndex((entry) => entry.index > commitIndex && !log.matches(entry));
  const first = entries[firstNew];
  if (first === undefined) return;
  if (first.index <= log.lastIndex) {
    server.truncateFrom(first.index);
    server.emit({ kind: "logTruncated", fromIndex: first.index, leaderId });
  }
  server.appendEntries(entries.slice(firstNew));
}
