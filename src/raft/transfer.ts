/** Handing leadership over (thesis §3.10), to whoever is fittest (P5, P9). */

import { standstillMinMs } from "../base/limits.ts";
import type { Leadership } from "./leadership.ts";
import { leaseUntilMs } from "./lease.ts";
import type { Progress } from "./progress.ts";
import { replicate } from "./replication.ts";
import type { RaftServer } from "./server.ts";
import type { Readiness, ServerId } from "./types.ts";

/** Begins a transfer; returns why it cannot be, or null. `targetId` null: the readiest voter. */
export function startTransfer(server: RaftServer, targetId: ServerId | null): string | null {
  const { role } = server;
  if (role.kind !== "leader") return "this server does not lead";
  const { leadership } = role;
  if (leadership.transfer !== null) {
    const isSame = targetId === null || targetId === leadership.transfer.targetId;
    return isSame ? null : `a transfer to ${leadership.transfer.targetId} is under way`;
  }
  const target = targetId ?? fittestVoter(server, leadership)?.id ?? null;
  if (target === null) return "no other voter is in contact";
  if (target === server.id) return "this server leads already";
  if (!server.voters.includes(target)) return `${target} is no voter`;
  const deadlineMs = server.nowMs + server.options.electionTimeoutMs;
  leadership.transfer = { targetId: target, deadlineMs, timeoutNowId: null };
  server.emit({ kind: "transferStarted", targetId: target });
  continueTransfer(server, leadership);
  return null;
}

/** Sends TimeoutNow once the target has the whole log. */
export function continueTransfer(server: RaftServer, leadership: Leadership): void {
  const { transfer } = leadership;
  if (transfer === null || transfer.timeoutNowId !== null) return;
  const target = leadership.progress.get(transfer.targetId);
  if (target === undefined) return endTransfer(server, leadership, "aborted");
  if (target.matchIndex < server.log.lastIndex) return replicate(server, target);
  server.sendAfterHardState({ kind: "timeoutNowRequest", to: transfer.targetId });
  transfer.timeoutNowId = server.lastMessageId;
}

/** The target did not take over; this leader carries on, with a lease that begins anew. */
export function endTransfer(
  server: RaftServer,
  leadership: Leadership,
  outcome: "timeout" | "aborted",
): void {
  const { transfer } = leadership;
  if (transfer === null) return;
  leadership.transfer = null;
  leadership.leaseFloorStamp = server.lastStamp;
  leadership.handOverTriedMs = server.nowMs;
  server.emit({ kind: "transferEnded", targetId: transfer.targetId, outcome });
}

/** Pauses between attempts to hand over grow up to this many election timeouts. */
const handOverPauseMax = 16;

/**
 * A leader steps aside for a ready voter where it is unready (P5), and where it has had no lease for an election timeout, so
 * that it builds no blocks: its answers come too late for that, and not too late for others to be kept from leading. Nothing
 * can be proposed meanwhile, and a target that this leader reaches may still reach no majority itself: then this one is
 * elected again. So each attempt waits for twice as long as the last, in whatever term.
 */
export function handOverIfUnfit(server: RaftServer, leadership: Leadership): void {
  const { nowMs, readiness } = server;
  const { electionTimeoutMs, standstillMs = standstillMinMs } = server.options;
  const hasLease = leaseUntilMs(server) > nowMs;
  if (hasLease) leadership.leasedMs = nowMs;
  if (hasLease && readiness.isReady) server.handOversTried = 0;
  const isFit = readiness.isReady && nowMs - leadership.leasedMs < electionTimeoutMs;
  if (isFit) leadership.usefulMs = nowMs;
  if (isFit || leadership.transfer !== null) return;
  if (server.commitIndex < leadership.firstIndex) return;
  const pauseMs = electionTimeoutMs * Math.min(2 ** server.handOversTried, handOverPauseMax);
  if (nowMs - leadership.handOverTriedMs < pauseMs) return;
  const fittest = fittestVoter(server, leadership);
  if (fittest === null) return;
  // Nobody knows of a Go peer that it is ready. It is asked to lead where the chain stands still without it.
  const standsStill = server.log.isOverfull || nowMs - leadership.usefulMs >= standstillMs;
  const mayLead = fittest.readiness === null ? standsStill : fittest.readiness.isReady;
  if (!mayLead) return;
  server.handOversTried++;
  startTransfer(server, fittest.id);
}

/** Among the voters heard within a heartbeat timeout: by readiness, then log, then the operator's preference. */
function fittestVoter(server: RaftServer, leadership: Leadership): Progress | null {
  const heardSinceMs = server.nowMs - server.options.heartbeatTimeoutMs;
  const candidates = server.voters
    .map((id) => leadership.progress.get(id))
    .filter((peer) => peer !== undefined)
    .filter((peer) => peer.hasAnswered && peer.lastContactMs >= heardSinceMs);
  candidates.sort(
    (a, b) =>
      rank(b.readiness) - rank(a.readiness) ||
      b.matchIndex - a.matchIndex ||
      (b.readiness?.priority ?? 0) - (a.readiness?.priority ?? 0),
  );
  return candidates[0] ?? null;
}

/** A Go peer says nothing of its readiness: better than unready, worse than ready. */
function rank(readiness: Readiness | null): number {
  if (readiness === null) return 1;
  return readiness.isReady ? 2 : 0;
}
