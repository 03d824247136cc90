/**
 * What a leader knows of one follower, and how fast it may send to it.
 *
 *              success                       entry compacted away
 *     probe ------------> replicate   probe, replicate ------------> snapshot
 *       ^                    |                                          |
 *       +--------------------+------------------------------------------+
 *          mismatch, failed RPC                installed, or failed
 */

import { appendsInFlightMax, bytesInFlightMax } from "../base/limits.ts";
import type { EntryId, LogIndex, Readiness, ServerId } from "./types.ts";

interface InFlight {
  readonly lastIndex: LogIndex;
  readonly bytes: number;
}

/** Moments to come: how long an answer is waited for, and how long silence lasts when all is said. */
export interface Waits {
  readonly giveUpAtMs: number;
  readonly idleUntilMs: number;
}

export type Pace =
  /** Looking for the last common entry, one request at a time. */
  | {
      readonly kind: "probe";
      readonly nextIndex: LogIndex;
      readonly awaitingReply: boolean;
      /** Nothing is sent before; after a request it is when to give up on its reply. */
      readonly retryAtMs: number;
      readonly failures: number;
    }
  /** The logs match: requests follow one another without waiting. */
  | {
      readonly kind: "replicate";
      nextIndex: LogIndex;
      readonly inFlight: InFlight[];
      inFlightBytes: number;
      /** When to give up on the answers to what is in flight; when to say a word if nothing is. */
      dueMs: number;
    }
  | {
      readonly kind: "snapshot";
      readonly snapshotIndex: LogIndex;
      readonly sentAtMs: number;
      readonly giveUpAtMs: number;
    };

export class Progress {
  readonly id: ServerId;
  matchIndex: LogIndex = 0;
  /** The last clock stamp (see `RaftServer.nextStamp`) given out when `matchIndex` last grew. */
  matchedStamp = 0;
  /** Acknowledgements of what was sent until then are void: it has lost its disk since. */
  forgottenStamp = Number.NEGATIVE_INFINITY;
  /** Highest commit index told to it. */
  sentCommitIndex: LogIndex = 0;
  /** When a commit index that no entry has carried goes out on its own; Infinity if none waits. */
  commitNoticeMs = Number.POSITIVE_INFINITY;
  pace: Pace;
  /** Where a snapshot ends, or one before it, that is being read from disk to be sent; null without one. */
  readingSnapshotIndex: LogIndex | null = null;
  /** What the last snapshot that it was sent ends with: an entry that the log may lack since. */
  snapshotLast: EntryId | null = null;
  /** Attempts in a row to send it a snapshot that failed, and until when there is no other. */
  snapshotFailures = 0;
  nextSnapshotMs = Number.NEGATIVE_INFINITY;
  /** The newest stamp of ours that it has answered in this term: it held us for leader since then. */
  ackedStamp = Number.NEGATIVE_INFINITY;
  /** When its last answer arrived. */
  lastContactMs: number;
  /** null until it says so; Go peers never do. */
  readiness: Readiness | null = null;

  constructor(id: ServerId, nextIndex: LogIndex, nowMs: number) {
    this.id = id;
    this.lastContactMs = nowMs;
    this.pace = { kind: "probe", nextIndex, awaitingReply: false, retryAtMs: 0, failures: 0 };
  }

  /** Whether it has answered anything in this term. */
  get hasAnswered(): boolean {
    return this.ackedStamp > Number.NEGATIVE_INFINITY;
  }

  get nextIndex(): LogIndex {
    return this.pace.kind === "snapshot" ? this.pace.snapshotIndex + 1 : this.pace.nextIndex;
  }

  get hasRoom(): boolean {
    if (this.pace.kind !== "replicate") return false;
    return (
      this.pace.inFlight.length < appendsInFlightMax && this.pace.inFlightBytes < bytesInFlightMax
    );
  }

  probeFrom(nextIndex: LogIndex, retryAtMs: number, failures: number): void {
    this.pace = { kind: "probe", nextIndex, awaitingReply: false, retryAtMs, failures };
    this.commitNoticeMs = Number.POSITIVE_INFINITY;
  }

  /** What kept this follower from answering is over: no need to wait out a pause. */
  retryNow(): void {
    if (this.pace.kind !== "probe" || this.pace.awaitingReply) return;
    this.pace = { ...this.pace, retryAtMs: 0 };
  }

  probeSent(giveUpAtMs: number): void {
    if (this.pace.kind !== "probe") return;
    this.pace = { ...this.pace, awaitingReply: true, retryAtMs: giveUpAtMs };
  }

  appendSent(lastIndex: LogIndex, bytes: number, { giveUpAtMs }: Waits): void {
    this.readingSnapshotIndex = null;
    if (this.pace.kind !== "replicate") return;
    if (this.pace.inFlight.length === 0) this.pace.dueMs = giveUpAtMs;
    this.pace.inFlight.push({ lastIndex, bytes });
    this.pace.inFlightBytes += bytes;
    this.pace.nextIndex = Math.max(this.pace.nextIndex, lastIndex + 1);
  }

  /** A success covered everything up to `index`. */
  matched(index: LogIndex, stamp: number, waits: Waits): void {
    if (index > this.matchIndex) {
      this.matchIndex = index;
      this.matchedStamp = stamp;
    }
    if (this.pace.kind === "replicate") {
      const done = this.pace.inFlight.findIndex((request) => request.lastIndex > index);
      const answered = this.pace.inFlight.splice(0, done < 0 ? this.pace.inFlight.length : done);
      for (const request of answered) this.pace.inFlightBytes -= request.bytes;
      this.pace.dueMs = this.pace.inFlight.length > 0 ? waits.giveUpAtMs : waits.idleUntilMs;
      return;
    }
    // An answer from before the snapshot was sent says nothing about the snapshot.
    if (this.pace.kind === "snapshot" && index < this.pace.snapshotIndex) return;
    this.snapshotFailures = 0;
    this.pace = {
      kind: "replicate",
      nextIndex: this.matchIndex + 1,
      inFlight: [],
      inFlightBytes: 0,
      dueMs: waits.idleUntilMs,
    };
  }

  snapshotSent(last: EntryId, sentAtMs: number, giveUpAtMs: number): void {
    this.pace = { kind: "snapshot", snapshotIndex: last.index, sentAtMs, giveUpAtMs };
    this.snapshotLast = last;
    this.readingSnapshotIndex = null;
    this.commitNoticeMs = Number.POSITIVE_INFINITY;
  }

  /**
   * The snapshot may have arrived all the same. A probe behind it finds that out at little cost, and
   * leads to another attempt if not, `nextSnapshotMs` at the earliest.
   */
  snapshotFailed(nextSnapshotMs: number): void {
    if (this.pace.kind !== "snapshot") return;
    this.snapshotFailures++;
    this.nextSnapshotMs = nextSnapshotMs;
    this.probeFrom(this.pace.snapshotIndex + 1, 0, 0);
  }
}
