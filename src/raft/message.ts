/** The messages of hashicorp/raft's protocol, as the core sees them: typed, and without wire detail. */

import type {
  Entry,
  EntryId,
  LogIndex,
  Readiness,
  ServerId,
  Snapshot,
  Standing,
  Term,
} from "./types.ts";

interface Envelope {
  readonly from: ServerId;
  readonly to: ServerId;
  /**
   * Ties a response to its request. hashicorp's wire has no such number: a response belongs to the
   * oldest open request of its connection. The transport of the requester pairs the two and fills
   * in what the response does not carry (`id`, `matchIndex`, `prevLogIndex`, `sentAtMs`); the
   * transport of the responder gives `id` a meaning of its own, a connection and a place in it.
   */
  readonly id: number;
}

export interface AppendEntriesRequest extends Envelope {
  readonly kind: "appendEntriesRequest";
  readonly term: Term;
  readonly prev: EntryId;
  readonly entries: readonly Entry[];
  readonly leaderCommit: LogIndex;
  /** The leader's clock when it sent this; means nothing to the receiver. */
  readonly sentAtMs: number;
}

export interface AppendEntriesResponse extends Envelope {
  readonly kind: "appendEntriesResponse";
  readonly term: Term;
  readonly success: boolean;
  /** The responder's last index before it handled the request: a hint after a failure, nothing after a success. */
  readonly lastLogIndex: LogIndex;
  /** The failure is a log mismatch: retry at once, further back. */
  readonly noRetryBackoff: boolean;
  /** The last index the request covered: what a success has proven to match. */
  readonly matchIndex: LogIndex;
  /** The request's `prev.index`. */
  readonly prevLogIndex: LogIndex;
  readonly sentAtMs: number;
  readonly readiness?: Readiness;
}

/** On the wire an AppendEntries without log information; answered from memory. */
export interface HeartbeatRequest extends Envelope {
  readonly kind: "heartbeatRequest";
  readonly term: Term;
  readonly sentAtMs: number;
}

export interface HeartbeatResponse extends Envelope {
  readonly kind: "heartbeatResponse";
  readonly term: Term;
  readonly success: boolean;
  readonly lastLogIndex: LogIndex;
  readonly sentAtMs: number;
  readonly readiness?: Readiness;
}

export interface RequestVoteRequest extends Envelope {
  readonly kind: "requestVoteRequest";
  readonly term: Term;
  readonly last: EntryId;
  /** The first campaign after a TimeoutNow: voters do not protect the leader they know. */
  readonly leadershipTransfer: boolean;
}

export interface RequestVoteResponse extends Envelope {
  readonly kind: "requestVoteResponse";
  readonly term: Term;
  readonly granted: boolean;
}

export interface RequestPreVoteRequest extends Envelope {
  readonly kind: "requestPreVoteRequest";
  /**
   * The term the sender would campaign in: its current one plus 1. 0 asks for no pre-vote: a server with
   * an empty disk wants to know how the others stand.
   */
  readonly term: Term;
  readonly last: EntryId;
  readonly readiness?: Readiness;
}

export interface RequestPreVoteResponse extends Envelope {
  readonly kind: "requestPreVoteResponse";
  /** The responder's term, or the request's if that is higher: an echo, not a newer term. */
  readonly term: Term;
  readonly granted: boolean;
  /** Only in the answer to a request of term 0. */
  readonly standing?: Standing;
}

export interface InstallSnapshotRequest extends Envelope {
  readonly kind: "installSnapshotRequest";
  readonly term: Term;
  readonly snapshot: Snapshot;
}

export interface InstallSnapshotResponse extends Envelope {
  readonly kind: "installSnapshotResponse";
  readonly term: Term;
  readonly success: boolean;
  /** `last.index` of the snapshot that was sent. */
  readonly snapshotIndex: LogIndex;
}

export interface TimeoutNowRequest extends Envelope {
  readonly kind: "timeoutNowRequest";
}

export interface TimeoutNowResponse extends Envelope {
  readonly kind: "timeoutNowResponse";
}

export type RequestMessage =
  | AppendEntriesRequest
  | HeartbeatRequest
  | RequestVoteRequest
  | RequestPreVoteRequest
  | InstallSnapshotRequest
  | TimeoutNowRequest;

export type ResponseMessage =
  | AppendEntriesResponse
  | HeartbeatResponse
  | RequestVoteResponse
  | RequestPreVoteResponse
  | InstallSnapshotResponse
  | TimeoutNowResponse;

export type Message = RequestMessage | ResponseMessage;
