/** What a leader learns from its followers' answers, and what anybody learns from RPCs that failed. */

import { onBallotFailed } from "./campaign.ts";
import { becomeFollower } from "./follower.ts";
import { advanceCommit } from "./leader.ts";
import { confirmReads } from "./lease.ts";
import type {
  AppendEntriesResponse,
  HeartbeatResponse,
  InstallSnapshotResponse,
} from "./message.ts";
import type { RpcFailure } from "./ready.ts";
import {
  forgetLostMatch,
  onAppendAnswered,
  onReplicationFailed,
  onSnapshotAnswered,
  replicate,
} from "./replication.ts";
import type { RaftServer } from "./server.ts";
import { endTransfer } from "./transfer.ts";

const requestOf = {
  heartbeatResponse: "heartbeatRequest",
  appendEntriesResponse: "appendEntriesRequest",
  installSnapshotResponse: "installSnapshotRequest",
} as const;

export function handleFollowerAnswer(
  server: RaftServer,
  response: HeartbeatResponse | AppendEntriesResponse | InstallSnapshotResponse,
): void {
  if (response.term > server.currentTerm) {
    return becomeFollower(server, response.term, `${response.from} is in term ${response.term}`);
  }
  if (server.role.kind !== "leader") return;
  const { leadership } = server.role;
  const progress = leadership.progress.get(response.from);
  if (progress === undefined) return;
  // It has lost its disk and asks how to begin: it takes nothing yet, and must be sent this again.
  if (response.term === 0) return onReplicationFailed(server, progress, requestOf[response.kind]);
  // An answer to an earlier leadership of ours says nothing about this one.
  if (response.term < server.currentTerm) return;
  const silentMs = server.nowMs - progress.lastContactMs;
  if (silentMs >= server.options.leaderLeaseTimeoutMs) progress.retryNow();
  progress.lastContactMs = server.nowMs;
  if (response.kind === "installSnapshotResponse") {
    onSnapshotAnswered(server, progress, response);
  } else {
    // An answer that waited for the disk tells how its sender was when it was asked.
    const isNewest = response.sentAtMs >= progress.ackedStamp;
    if (isNewest) progress.readiness = response.readiness ?? progress.readiness;
    progress.ackedStamp = Math.max(progress.ackedStamp, response.sentAtMs);
    if (response.kind === "appendEntriesResponse") onAppendAnswered(server, progress, response);
    else forgetLostMatch(server, progress, response);
  }
  confirmReads(server, leadership);
  advanceCommit(server, leadership);
  // The commitment of its own removal may have ended the leadership.
  if (server.role.kind === "leader") replicate(server, progress);
}

export function handleRpcFailure(server: RaftServer, failure: RpcFailure): void {
  const { kind, to, id, term } = failure;
  if (kind === "requestVoteRequest" || kind === "requestPreVoteRequest") {
    return onBallotFailed(server, failure);
  }
  if (server.role.kind !== "leader") return;
  const { leadership } = server.role;
  if (kind === "timeoutNowRequest") {
    // One of an earlier transfer, to the same server perhaps, says nothing of this one.
    if (leadership.transfer?.timeoutNowId === id) endTransfer(server, leadership, "aborted");
    return;
  }
  if (term !== server.currentTerm) return;
  const progress = leadership.progress.get(to);
  if (progress !== undefined) onReplicationFailed(server, progress, kind);
}
