/** The words of the protocol: terms, indexes, entries, configurations, readiness (Raft §5, Fig. 2). */

export type Term = number;
export type LogIndex = number;
/** A member's `raft.node_id`: an identity is never an address. */
export type ServerId = string;

export interface EntryId {
  readonly term: Term;
  readonly index: LogIndex;
}

/** hashicorp/raft's log types 0-5. A node writes command, noop and configuration only. */
export type EntryKind = "command" | "noop" | "addPeer" | "removePeer" | "barrier" | "configuration";

export interface Entry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly kind: EntryKind;
  /** Payload; null where hashicorp has nil. */
  readonly data: Uint8Array | null;
  /** hashicorp's Extensions: stored and forwarded unchanged. */
  readonly extensions: Uint8Array | null;
  /** The leader's clock at first append, in Go's binary time format (15 or 16 bytes); null is the zero time. Opaque here. */
  readonly appendedAt: Uint8Array | null;
}

/** Whether a server counts towards majorities. `staging` is hashicorp's deprecated third value: it does not. */
export type Suffrage = "voter" | "nonvoter" | "staging";

export interface Server {
  readonly id: ServerId;
  /** Where peers reach it, `host:port`; informational here. */
  readonly address: string;
  readonly suffrage: Suffrage;
}

export interface Configuration {
  readonly servers: readonly Server[];
}

export interface HardState {
  readonly currentTerm: Term;
  /** Whom this server voted for in `currentTerm`. */
  readonly votedFor: ServerId | null;
}

/** What a server that lost its disk has yet to regain before it may vote again (P6; recovery.ts). */
export interface Recovery {
  /** The highest term that enough of the others were in. */
  readonly minTerm: Term;
  /** The highest last index that any of them reported, or that the leader of that term showed to have counted on. */
  readonly untilIndex: LogIndex;
}

/** How a server came by its log. */
export interface Origin {
  /** Blocks up to this height were there before the log began: their Raft indexes are another log's. */
  readonly baseHeight: number;
  /** null if the server has all that it may ever have promised. */
  readonly recovery: Recovery | null;
}

/** What a server can tell one that begins with an empty disk; Go peers tell nothing of it. */
export interface Standing {
  /** What it knows of its own promises: nothing yet, not all since it lost its disk, or everything. */
  readonly memory: "none" | "partial" | "whole";
  readonly lastLogIndex: LogIndex;
  /** Of its last block; the height before the chain's first one if it has none. */
  readonly height: number;
  readonly baseHeight: number;
  /** It is that of another chain: its node has another genesis.json. */
  readonly isOfOtherChain?: true;
}

/** The state machine as of an entry, with the configuration then in force. */
export interface Snapshot {
  readonly last: EntryId;
  readonly configuration: Configuration;
  readonly configurationIndex: LogIndex;
  readonly data: Uint8Array;
}

/** How fit a node is to lead (P5); travels in RPCs as extra keys that Go peers ignore. */
export interface Readiness {
  /** Blocks applied up to the commit index, execution client healthy, and the log's disk not slow. */
  readonly isReady: boolean;
  /** Height of the last applied block. */
  readonly appliedHeight: number;
  /** The operator's preference among equally ready nodes; higher leads. */
  readonly priority: number;
}
