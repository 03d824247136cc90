/** What happened in the core and to its log that people or metrics want to hear of. `narrate` turns each into a log line and a metric. */

import type { Message } from "./message.ts";
import type { Configuration, LogIndex, ServerId, Term } from "./types.ts";

export type RaftEvent =
  | { readonly kind: "becameFollower"; readonly term: Term; readonly reason: string }
  /** A follower heard from this term's leader for the first time. */
  | { readonly kind: "followingLeader"; readonly term: Term; readonly leaderId: ServerId }
  | { readonly kind: "electionTimeout"; readonly term: Term; readonly silentMs: number }
  /** The leader's process is gone: its socket closed and its port refuses (P10). */
  | { readonly kind: "leaderProcessGone"; readonly term: Term; readonly leaderId: ServerId }
  | { readonly kind: "becamePreCandidate"; readonly term: Term }
  | { readonly kind: "becameCandidate"; readonly term: Term; readonly isTransfer: boolean }
  | { readonly kind: "electionWon"; readonly term: Term; readonly tally: number }
  /** The first entry of the own term is committed: everything before it is too. */
  | { readonly kind: "becameLeader"; readonly term: Term; readonly lastLogIndex: LogIndex }
  | { readonly kind: "quorumLost"; readonly term: Term; readonly silent: readonly ServerId[] }
  /** A leader steps down that a majority hears and stores nothing of. */
  | {
      readonly kind: "replicationStalled";
      readonly term: Term;
      readonly commitIndex: LogIndex;
      readonly stalledMs: number;
      readonly standBackMs: number;
    }
  | {
      readonly kind: "voteRefused";
      readonly term: Term;
      readonly candidateId: ServerId;
      readonly isPreVote: boolean;
      readonly reason: string;
    }
  | {
      readonly kind: "logTruncated";
      readonly fromIndex: LogIndex;
      readonly leaderId: ServerId;
    }
  | {
      readonly kind: "configurationChanged";
      readonly index: LogIndex;
      readonly configuration: Configuration;
    }
  | { readonly kind: "transferStarted"; readonly targetId: ServerId }
  | { readonly kind: "transferRefused"; readonly reason: string }
  | { readonly kind: "configurationRefused"; readonly reason: string }
  | {
      readonly kind: "transferEnded";
      readonly targetId: ServerId;
      readonly outcome: "done" | "timeout" | "aborted";
    }
  | { readonly kind: "snapshotSent"; readonly peerId: ServerId; readonly index: LogIndex }
  /** The peer has it on disk. */
  | {
      readonly kind: "snapshotAccepted";
      readonly peerId: ServerId;
      readonly index: LogIndex;
      readonly durationMs: number;
    }
  /** It is sent again after a pause: the connection broke, or took too long. */
  | {
      readonly kind: "snapshotFailed";
      readonly peerId: ServerId;
      readonly index: LogIndex;
      readonly failures: number;
    }
  | { readonly kind: "snapshotInstalled"; readonly leaderId: ServerId; readonly index: LogIndex }
  /** Of the own state machine; then the log lost its first entries. */
  | {
      readonly kind: "snapshotTaken";
      readonly index: LogIndex;
      readonly term: Term;
      readonly sizeBytes: number;
      /** From asking the state machine for it to having it on disk. */
      readonly durationMs: number;
      readonly entriesRemoved: number;
    }
  /** No peer would take it, so it is not kept, and the log is not shortened. */
  | {
      readonly kind: "snapshotTooLarge";
      readonly index: LogIndex;
      readonly sizeBytes: number;
      readonly limitBytes: number;
    }
  /** Its file would leave the disk without the room that the log needs, so it is not kept, and the log is not shortened. */
  | {
      readonly kind: "snapshotLacksRoom";
      readonly index: LogIndex;
      readonly sizeBytes: number;
      readonly freeBytes: number;
      readonly neededBytes: number;
    }
  /** A snapshot cannot be read; an older one is in use. */
  | { readonly kind: "snapshotDamaged"; readonly path: string; readonly reason: string }
  /** The log's disk takes too long for a write to lead with: an average, or the one under way (P5). */
  | { readonly kind: "diskSlow"; readonly takesMs: number; readonly limitMs: number }
  | { readonly kind: "diskWell" }
  /** The process's other half, which builds and applies blocks, has said nothing for so long: it hangs (P5). */
  | { readonly kind: "hostHangs"; readonly silentMs: number }
  | { readonly kind: "hostGoesOn"; readonly hungMs: number }
  /** It says what no server that keeps to the protocol can say. */
  | {
      readonly kind: "messageRefused";
      readonly from: ServerId;
      readonly message: Message["kind"];
      readonly reason: string;
    }
  /** The disk is empty, so the others are asked what this server may have promised. */
  | { readonly kind: "surveyBegan"; readonly peers: readonly ServerId[] }
  /** It cannot be told yet how to begin; every few seconds. */
  | { readonly kind: "surveyWaits"; readonly reason: string }
  | { readonly kind: "bootstrapped"; readonly term: Term; readonly baseHeight: number }
  /** At the start of a server that lost its disk: until then it neither votes nor campaigns (P6). */
  | {
      readonly kind: "recovering";
      readonly minTerm: Term;
      readonly untilIndex: LogIndex;
      readonly lastIndex: LogIndex;
    }
  /** It has regained what it may have promised, and votes again. */
  | { readonly kind: "recovered"; readonly term: Term; readonly lastIndex: LogIndex }
  /** A follower's log no longer holds what it acknowledged: it lost its disk. */
  | { readonly kind: "matchForgotten"; readonly peerId: ServerId; readonly matchIndex: LogIndex };
