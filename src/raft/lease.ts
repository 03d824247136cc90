/** How a leader knows that it still leads, without a log entry (thesis §6.4; P3). */

import {
  hasSentTimeoutNow,
  type Leadership,
  type PendingRead,
  quorumContact,
} from "./leadership.ts";
import type { RaftServer } from "./server.ts";

/**
 * Until when no other leader can have been elected by voters that keep to their timeouts: a lease
 * after a majority was *sent* what it then answered. NaN-free: -Infinity without an answer.
 */
export function leaseUntilMs(server: RaftServer): number {
  if (server.role.kind !== "leader") return Number.NEGATIVE_INFINITY;
  const { leadership } = server.role;
  // The target of a transfer does not keep to the timeouts.
  if (hasSentTimeoutNow(leadership)) return Number.NEGATIVE_INFINITY;
  const ackedStamp = quorumAck(server, leadership);
  if (ackedStamp <= leadership.leaseFloorStamp) return Number.NEGATIVE_INFINITY;
  return ackedStamp + server.options.leaderLeaseTimeoutMs;
}

/** They wait where heartbeats are answered and nothing is committed. Who asked has given up long before there are so many. */
export const pendingReadsMax = 10_000;

/** Registers a read; it is answered once a round of heartbeats that began after it is. */
export function requestRead(server: RaftServer, readId: number): void {
  if (server.role.kind !== "leader") {
    server.answerRead({ kind: "refused", readId, leaderId: server.leaderId });
    return;
  }
  const { leadership } = server.role;
  if (leadership.reads.length >= pendingReadsMax) {
    server.answerRead({ kind: "refused", readId, leaderId: server.leaderId });
    return;
  }
  const isRoundUnderWay = leadership.reads.length > 0;
  leadership.reads.push({ readId, afterStamp: server.lastStamp });
  // Reads that come while a round is under way share the next one, which its end begins.
  if (!isRoundUnderWay) leadership.nextHeartbeatMs = server.nowMs;
  confirmReads(server, leadership);
}

/** Answers the reads that a majority has confirmed; begins another round if some are left. */
export function confirmReads(server: RaftServer, leadership: Leadership): void {
  // A new leader does not know what is committed until an entry of its own term is (Raft §8).
  if (leadership.reads.length === 0 || server.commitIndex < leadership.firstIndex) return;
  const ackedStamp = quorumAck(server, leadership);
  const isConfirmed = (read: PendingRead) => ackedStamp > read.afterStamp;
  const confirmed = leadership.reads.filter(isConfirmed);
  if (confirmed.length === 0) return;
  leadership.reads = leadership.reads.filter((read) => !isConfirmed(read));
  for (const { readId } of confirmed) {
    server.answerRead({ kind: "confirmed", readId, readIndex: server.commitIndex });
  }
  if (leadership.reads.length > 0) leadership.nextHeartbeatMs = server.nowMs;
}

function quorumAck(server: RaftServer, leadership: Leadership): number {
  return quorumContact(leadership, server.id, server.voters, (peer) => peer.ackedStamp);
}
