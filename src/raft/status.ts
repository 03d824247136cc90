/** A server as `GET /status`, `GET /cluster` and the metrics show it: a copy, taken between steps. */

import { leaseUntilMs } from "./lease.ts";
import type { RaftServer, Role } from "./server.ts";
import type { Configuration, LogIndex, Readiness, Recovery, ServerId, Term } from "./types.ts";

export interface PeerStatus {
  readonly id: ServerId;
  readonly matchIndex: LogIndex;
  /** Since its last answer; as long as this server has led if it never answered. */
  readonly silentMs: number;
  readonly hasAnswered: boolean;
  readonly pace: "probe" | "replicate" | "snapshot";
  /** The last index of the snapshot on its way to it, or being read from disk for it; null without one. */
  readonly sendingSnapshotIndex: LogIndex | null;
  readonly readiness: Readiness | null;
}

export interface RaftStatus {
  readonly id: ServerId;
  readonly role: Role["kind"];
  readonly term: Term;
  readonly leaderId: ServerId | null;
  readonly commitIndex: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly durableIndex: LogIndex;
  readonly snapshotIndex: LogIndex;
  readonly configuration: Configuration;
  readonly hasJoined: boolean;
  /** What it has yet to regain since it lost its disk; null if nothing. */
  readonly recovery: Recovery | null;
  /** Since the leader was last heard; null on the leader. */
  readonly leaderSilentMs: number | null;
  /** For how long this leader may still trust its lease; null unless it leads with a valid one. */
  readonly leaseLeftMs: number | null;
  readonly isTransferring: boolean;
  /** It led and replicated nothing, and stands back for a while. */
  readonly hasStalled: boolean;
  /** What the leader knows of the others; empty elsewhere. */
  readonly peers: readonly PeerStatus[];
}

export function hasJoined(server: RaftServer): boolean {
  if (server.role.kind === "leader") {
    return server.commitIndex >= server.role.leadership.firstIndex;
  }
  return server.leaderId !== null && (server.leader?.joined ?? false);
}

export function statusOf(server: RaftServer): RaftStatus {
  const { role, log, nowMs } = server;
  const leadership = role.kind === "leader" ? role.leadership : null;
  const leaseLeftMs = leaseUntilMs(server) - nowMs;
  return {
    id: server.id,
    role: role.kind,
    term: server.currentTerm,
    leaderId: server.leaderId,
    commitIndex: server.commitIndex,
    firstIndex: log.firstIndex,
    lastIndex: log.lastIndex,
    durableIndex: log.durableIndex,
    snapshotIndex: log.snapshotLast.index,
    configuration: server.membership.latest,
    hasJoined: hasJoined(server),
    recovery: server.origin.recovery,
    leaderSilentMs: leadership === null ? nowMs - server.leaderContactMs : null,
    leaseLeftMs: leaseLeftMs > 0 ? leaseLeftMs : null,
    isTransferring: leadership !== null && leadership.transfer !== null,
    hasStalled: server.hasStalled,
    peers: [...(leadership?.progress.values() ?? [])].map((progress) => ({
      id: progress.id,
      matchIndex: progress.matchIndex,
      silentMs: nowMs - progress.lastContactMs,
      hasAnswered: progress.hasAnswered,
      pace: progress.pace.kind,
      sendingSnapshotIndex:
        progress.pace.kind === "snapshot"
          ? progress.pace.snapshotIndex
          : progress.readingSnapshotIndex,
      readiness: progress.readiness,
    })),
  };
}
