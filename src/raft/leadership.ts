/** What a server holds only while it leads. */

import type { Progress } from "./progress.ts";
import { quorumValue } from "./quorum.ts";
import type { LogIndex, ServerId } from "./types.ts";

/** A read that waits for a round of heartbeats sent after it came (thesis §6.4). */
export interface PendingRead {
  readonly readId: number;
  /** A majority must answer a stamp above this one. */
  readonly afterStamp: number;
}

export interface Transfer {
  readonly targetId: ServerId;
  readonly deadlineMs: number;
  /** Of the TimeoutNow; null until it is sent. */
  timeoutNowId: number | null;
}

export interface Leadership {
  readonly progress: Map<ServerId, Progress>;
  /** The first entry of the own term; once it is committed, everything before it is. */
  readonly firstIndex: LogIndex;
  nextHeartbeatMs: number;
  /** When it last had a lease, or was elected; own pauses not counted. */
  leasedMs: number;
  /** When it last was fit to lead, was given something to replicate, or was elected; own pauses not counted. */
  usefulMs: number;
  /** Since when entries wait and none is committed, own pauses not counted; now if none waits. */
  standstillSinceMs: number;
  /** Not before: lack of a quorum is no reason to step down (just elected, or just awoken). */
  quorumCheckFromMs: number;
  transfer: Transfer | null;
  /** Answers to stamps up to here extend no lease: a transfer was under way. */
  leaseFloorStamp: number;
  /** When the last transfer ended without success; before the first, when the leadership began. */
  handOverTriedMs: number;
  reads: PendingRead[];
}

/** Another server may be elected although this one is heard. */
export function hasSentTimeoutNow({ transfer }: Leadership): boolean {
  return transfer !== null && transfer.timeoutNowId !== null;
}

/**
 * The newest moment, by `contactOf`, that a majority of `voters` vouches for. The leader itself does at
 * any time.
 */
export function quorumContact(
  { progress }: Leadership,
  selfId: ServerId,
  voters: readonly ServerId[],
  contactOf: (progress: Progress) => number,
): number {
  const contacts: number[] = [];
  for (const id of voters) {
    const peer = progress.get(id);
    if (id === selfId) contacts.push(Number.POSITIVE_INFINITY);
    else contacts.push(peer === undefined ? Number.NEGATIVE_INFINITY : contactOf(peer));
  }
  return quorumValue(contacts);
}
