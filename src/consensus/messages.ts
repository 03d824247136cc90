/**
 * The boundary between the main thread and the consensus thread: plain data, and bytes that are
 * transferred, not copied. Messages cross in arrays (see `Outbox`), either way in order. Both sides are
 * written against this file and nothing else.
 */

import type { RaftEvent } from "../raft/event.ts";
import type { RaftStatus } from "../raft/status.ts";
import type { EntryKind, LogIndex, Readiness, ServerId, Term } from "../raft/types.ts";
import type { SlowDisk } from "../storage/disk-watch.ts";
import type { PeerStats, TransportEvent } from "../transport/tcp-transport.ts";
import type { ProposalOutcome, RoleReport } from "./driver.ts";
import type { StateSnapshot } from "./snapshotter.ts";

export interface ConsensusOptions {
  readonly nodeId: ServerId;
  readonly chainId: string;
  readonly raftDir: string;
  readonly heartbeatTimeoutMs: number;
  readonly electionTimeoutMs: number;
  readonly leaderLeaseTimeoutMs: number;
  readonly sendTimeoutMs: number;
  /** From one block to the next, at most, while all is well. */
  readonly blockIntervalMaxMs: number;
  /** Applied entries from one snapshot to the next. */
  readonly snapshotThreshold: number;
  /** Entries kept behind a snapshot. */
  readonly trailingLogs: number;
  readonly snapCount: number;
  readonly mapSizeBytes: number | null;
  readonly allowVolatile: boolean;
  /** All voters, this node included. */
  readonly voters: readonly ServerId[];
  /** Whoever was a member before, as this node has recorded it. */
  readonly knownMembers: readonly ServerId[];
  /** The Raft index of the last stored block. */
  readonly appliedIndex: LogIndex;
  /** `appliedHeight` is that block's height. */
  readonly readiness: Readiness;
  /** The height of the chain's first block. */
  readonly firstHeight: number;
  /** null for a single sequencer, which talks to nobody. */
  readonly network: {
    readonly listenHost: string;
    readonly listenPort: number;
    /** The others' addresses, `host:port`. */
    readonly peers: readonly (readonly [ServerId, string])[];
    /** null: found out from `raft_addr`, or from the first connection. */
    readonly advertisedAddress: string | null;
    readonly allowFrom: readonly string[];
    /** What tells this chain from others: only its members take part. */
    readonly chain: Uint8Array;
  } | null;
  /** The lease for all to read: see `SharedLease`. */
  readonly lease: SharedArrayBuffer;
}

export type ToConsensus =
  /** The main thread works: said all the time, as nothing else may be for long. */
  | { readonly kind: "working" }
  | {
      readonly kind: "propose";
      readonly proposalId: number;
      readonly term: Term;
      readonly data: Uint8Array;
    }
  | { readonly kind: "applied"; readonly index: LogIndex }
  /** Answers `snapshotWanted`. */
  | { readonly kind: "snapshotTaken"; readonly snapshot: StateSnapshot | null }
  | { readonly kind: "readiness"; readonly readiness: Readiness }
  | { readonly kind: "transferLeadership"; readonly targetId: ServerId | null }
  | { readonly kind: "confirmLeadership"; readonly requestId: number }
  | { readonly kind: "status"; readonly requestId: number }
  | {
      readonly kind: "askPeer";
      readonly requestId: number;
      readonly peerId: ServerId;
      readonly method: string;
      readonly body: Uint8Array;
      readonly timeoutMs: number;
    }
  | {
      readonly kind: "answerPeer";
      readonly requestId: number;
      readonly status: number;
      readonly body: Uint8Array;
    }
  | { readonly kind: "stop" };

/** A committed entry; `data` is a view into its batch's one buffer. */
export interface CommittedEntry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly kind: EntryKind;
  readonly data: Uint8Array | null;
}

export interface TimedEvent {
  readonly event: RaftEvent;
  /** Unix time. */
  readonly atMs: number;
}

/** What the log means for the blocks that are there. */
export interface Beginning {
  /** Up to here the log's entries are applied. */
  readonly appliedIndex: LogIndex;
  /** Blocks up to this height are older than the log, so no entry of it brings them. */
  readonly baseHeight: number;
  /** By the log; empty where that is still to be regained. */
  readonly members: readonly ServerId[];
}

/** How consensus stands at this moment. */
export interface ConsensusView {
  readonly status: RaftStatus;
  /** Why there is no log to go on with yet; null once there is. */
  readonly waitsFor: string | null;
  readonly peers: readonly (PeerStats & { readonly id: ServerId })[];
}

/** What the consensus thread measured since it last told, and how it stands. */
export interface Measurements extends ConsensusView {
  readonly fsyncSeconds: readonly number[];
  readonly commitSeconds: readonly number[];
  /** By peer: heartbeats that it answered. */
  readonly roundTripsMs: ReadonlyMap<ServerId, readonly number[]>;
  /** How slow the log's disk is, if it is too slow to lead with; null for a single sequencer, which leads all the same. */
  readonly slowDisk: SlowDisk | null;
  readonly loopDelay: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
}

export type PeerAnswer =
  | { readonly kind: "answered"; readonly status: number; readonly body: Uint8Array }
  | { readonly kind: "failed"; readonly reason: string; readonly failure: PeerFailure };

/** `foreign`: it is another program than this, and will never answer. `unanswered`: it may have heard, and acted. */
export type PeerFailure = "foreign" | "notSent" | "unanswered";

export type FromConsensus =
  | {
      readonly kind: "started";
      /** Where the Raft port listens; null for a single sequencer. */
      readonly listening: { readonly host: string; readonly port: number } | null;
    }
  /** There is a log to go on with, if need be after the other members were asked. */
  | { readonly kind: "begun"; readonly beginning: Beginning }
  /** The thread cannot go on, or could not begin. */
  | { readonly kind: "failed"; readonly error: ErrorReport }
  | {
      readonly kind: "committed";
      readonly entries: readonly CommittedEntry[];
      /** Of the last entry. */
      readonly lastIndex: LogIndex;
      /** What they take in the window of unapplied entries. */
      readonly bytes: number;
      readonly commitIndex: LogIndex;
    }
  | {
      readonly kind: "snapshot";
      readonly index: LogIndex;
      readonly term: Term;
      readonly data: Uint8Array;
    }
  /** Asked one at a time. */
  | { readonly kind: "snapshotWanted" }
  | { readonly kind: "proposal"; readonly proposalId: number; readonly outcome: ProposalOutcome }
  | { readonly kind: "role"; readonly report: RoleReport }
  | {
      readonly kind: "leadership";
      readonly requestId: number;
      /** null: this node does not lead. */
      readonly readIndex: LogIndex | null;
    }
  | { readonly kind: "status"; readonly requestId: number; readonly view: ConsensusView }
  | { readonly kind: "measurements"; readonly measurements: Measurements }
  | {
      readonly kind: "peerAsks";
      readonly requestId: number;
      readonly peerId: ServerId;
      readonly method: string;
      readonly body: Uint8Array;
    }
  | { readonly kind: "peerAnswered"; readonly requestId: number; readonly answer: PeerAnswer }
  | { readonly kind: "events"; readonly events: readonly TimedEvent[] }
  | { readonly kind: "transport"; readonly event: TransportEvent; readonly atMs: number }
  | { readonly kind: "stopped" };

/** An error as it crosses the boundary: its class by name, and what it carries. */
export interface ErrorReport {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
  /** A CodedError's facts. */
  readonly detail: unknown;
  /** Of an error that the operating system gave. */
  readonly system: { readonly syscall: unknown; readonly code: unknown } | null;
}
