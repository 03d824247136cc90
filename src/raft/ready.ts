/** What goes into the core and what comes out: `step(input) -> Ready`. */

import type { RaftEvent } from "./event.ts";
import type { Message, RequestMessage } from "./message.ts";
import type {
  Configuration,
  Entry,
  HardState,
  LogIndex,
  Origin,
  Readiness,
  ServerId,
  Snapshot,
  Term,
} from "./types.ts";

/** Counts Readies that want something persisted. A message goes out once the number it waits for is durable. */
export type PersistSequence = number;

export type RaftInput =
  /** Time passed; the core compares `nowMs` with its deadlines. */
  | { readonly kind: "tick" }
  | { readonly kind: "message"; readonly message: Message }
  /** An RPC got no answer: connection refused, closed or timed out, or an error string came back. */
  | { readonly kind: "rpcFailed"; readonly request: RpcFailure }
  /** Everything up to this Ready is on disk. */
  | { readonly kind: "persisted"; readonly sequence: PersistSequence }
  /** Commands for the log, in order; `term` fences out a proposer that missed a change of leaders. */
  | {
      readonly kind: "propose";
      readonly term: Term;
      readonly commands: readonly Command[];
    }
  | { readonly kind: "proposeConfiguration"; readonly configuration: Configuration }
  | { readonly kind: "readiness"; readonly readiness: Readiness }
  | { readonly kind: "transferLeadership"; readonly targetId: ServerId | null }
  /** Confirm by a heartbeat round that this server still leads (thesis §6.4). */
  | { readonly kind: "confirmLeadership"; readonly readId: number }
  /** A peer's socket closed and its port refuses: its process is gone (P10). */
  | { readonly kind: "processGone"; readonly peerId: ServerId };

/** What is left of a request that gets no answer. */
export interface RpcFailure {
  readonly kind: RequestMessage["kind"];
  readonly to: ServerId;
  readonly id: number;
  /** 0 of a TimeoutNow, which carries none. */
  readonly term: Term;
}

export function failureOf(request: RequestMessage): RpcFailure {
  const { kind, to, id } = request;
  return { kind, to, id, term: kind === "timeoutNowRequest" ? 0 : request.term };
}

export interface Command {
  readonly proposalId: number;
  readonly data: Uint8Array;
  readonly appendedAt: Uint8Array | null;
}

export type ProposalAnswer =
  | {
      readonly kind: "appended";
      readonly proposalId: number;
      readonly index: LogIndex;
      readonly term: Term;
    }
  | { readonly kind: "notLeader"; readonly proposalId: number; readonly leaderId: ServerId | null }
  /** Leader, but handing over; or the command is too large. */
  | { readonly kind: "unavailable"; readonly proposalId: number; readonly reason: string };

export type ReadAnswer =
  | { readonly kind: "confirmed"; readonly readId: number; readonly readIndex: LogIndex }
  | { readonly kind: "refused"; readonly readId: number; readonly leaderId: ServerId | null };

/** Everything of one Ready becomes durable together, in one transaction. */
export interface Persist {
  readonly sequence: PersistSequence;
  readonly hardState: HardState | null;
  /** Absent where it stays as it is. */
  readonly origin?: Origin;
  /** Replaces the whole log and whatever snapshot there was. */
  readonly snapshot: Snapshot | null;
  /** Remove this entry and all after it before appending. */
  readonly truncateFrom: LogIndex | null;
  readonly entries: readonly Entry[];
}

export interface OutboundMessage {
  readonly message: Message;
  /** Send once this sequence is durable; 0 means at once. */
  readonly afterSequence: PersistSequence;
}

export interface Ready {
  readonly persist: Persist | null;
  readonly send: readonly OutboundMessage[];
  readonly events: readonly RaftEvent[];
  readonly proposals: readonly ProposalAnswer[];
  readonly reads: readonly ReadAnswer[];
  /** Entries up to here are committed; the driver fetches and applies them in order. */
  readonly commitIndex: LogIndex;
  /** The earliest `nowMs` at which a tick would change something. */
  readonly deadlineMs: number;
}

/** The durable log as the core reads it. Implementations answer from memory or a memory map, never by waiting. */
export interface LogReader {
  /** Last index and term that a snapshot replaced; 0/0 without one. */
  readonly snapshotLast: { readonly term: Term; readonly index: LogIndex };
  /** First index still held; `lastIndex + 1` if the log is empty. */
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  /** The term of a held entry; null outside `firstIndex..lastIndex`. */
  termAt(index: LogIndex): Term | null;
  /**
   * Entries from `from` to `to` inclusive, cut short once `maxBytes` of payload are reached, but at
   * least one. Throws a storage error that names the entry if its checksum is wrong.
   */
  entries(from: LogIndex, to: LogIndex, maxBytes: number): readonly Entry[];
  /**
   * The held entries of kind `configuration` (and hashicorp's `addPeer`, `removePeer`), oldest
   * first. Few, and found without reading the log: a server needs them before anything else.
   */
  configurationEntries(): readonly Entry[];
  /**
   * A good snapshot that the log continues: the newest, or one that was read lately; null without one. Throws a storage
   * error if none is good.
   */
  snapshot(): Snapshot | null;
  /**
   * Whether `snapshot()` costs no more than a moment now. If not, it is being read from disk: a large one takes
   * longer than the peers would wait for a heartbeat (P13). To be asked again after a while.
   */
  prepareSnapshot(): boolean;
}

/** What a server knew when it stopped. */
export interface StoredState {
  readonly hardState: HardState;
  readonly origin: Origin;
  readonly log: LogReader;
}
