/**
 * hashicorp/raft's structures, field by field in Go's order of declaration and under Go's names,
 * which appear nowhere else. The Ev keys are ours, behind those of Go, which may also send arrays: Go peers skip them.
 */

import {
  bool,
  bytes,
  int,
  list,
  optional,
  struct,
  text,
  time,
  uint,
  uint8,
  type ValueOf,
} from "./codec.ts";
import { entriesPerFrameMax, serversMax } from "./limits.ts";

/** First byte of a request. 0x45 is ours; a Go node closes the connection on it. */
export const rpcType = {
  appendEntries: 0x00,
  requestVote: 0x01,
  installSnapshot: 0x02,
  timeoutNow: 0x03,
  requestPreVote: 0x04,
  extension: 0x45,
} as const;

const header = { ProtocolVersion: int, ID: bytes, Addr: bytes };
/** The sender's chain: a member of another one has nothing to say here. */
const chain = { EvChain: optional(bytes) };
const readiness = { EvReady: optional(bool), EvHeight: optional(uint), EvPriority: optional(int) };
/** How the sender stands, for a peer that begins with an empty disk. */
const standing = {
  EvMemory: optional(uint8),
  EvLast: optional(uint),
  EvHeight: optional(uint),
  EvBase: optional(uint),
};

export const log = struct({
  Index: uint,
  Term: uint,
  Type: uint8,
  Data: bytes,
  Extensions: bytes,
  AppendedAt: time,
});

export const server = struct({ Suffrage: int, ID: text, Address: text });

export const configuration = struct({ Servers: list(server, serversMax) });

export const appendEntriesRequest = struct({
  ...header,
  Term: uint,
  Leader: bytes,
  PrevLogEntry: uint,
  PrevLogTerm: uint,
  Entries: list(log, entriesPerFrameMax),
  LeaderCommitIndex: uint,
  ...chain,
});

export const appendEntriesResponse = struct({
  ...header,
  Term: uint,
  LastLog: uint,
  Success: bool,
  NoRetryBackoff: bool,
  ...readiness,
});

export const requestVoteRequest = struct({
  ...header,
  Term: uint,
  Candidate: bytes,
  LastLogIndex: uint,
  LastLogTerm: uint,
  LeadershipTransfer: bool,
  ...chain,
});

export const requestVoteResponse = struct({ ...header, Term: uint, Peers: bytes, Granted: bool });

export const requestPreVoteRequest = struct({
  ...header,
  Term: uint,
  LastLogIndex: uint,
  LastLogTerm: uint,
  ...readiness,
  ...chain,
});

export const requestPreVoteResponse = struct({
  ...header,
  Term: uint,
  Granted: bool,
  ...standing,
  ...chain,
});

export const installSnapshotRequest = struct({
  ...header,
  SnapshotVersion: int,
  Term: uint,
  Leader: bytes,
  LastLogIndex: uint,
  LastLogTerm: uint,
  Peers: bytes,
  Configuration: bytes,
  ConfigurationIndex: uint,
  Size: int,
  ...chain,
});

export const installSnapshotResponse = struct({ ...header, Term: uint, Success: bool });

export const timeoutNowRequest = struct({ ...header, ...chain });

export const timeoutNowResponse = struct({ ...header });

export const extensionRequest = struct({ ...header, Method: bytes, Body: bytes });

export const extensionResponse = struct({ ...header, Status: uint, Body: bytes });

export type WireHeader = {
  readonly [K in keyof typeof header]: ValueOf<(typeof header)[K]>;
};
export type WireChainHeader = WireHeader & {
  readonly [K in keyof typeof chain]: ValueOf<(typeof chain)[K]>;
};
export type WireReadiness = {
  readonly [K in keyof typeof readiness]: ValueOf<(typeof readiness)[K]>;
};
export type WireStanding = {
  readonly [K in keyof typeof standing]: ValueOf<(typeof standing)[K]>;
};
export type WireLog = ValueOf<typeof log>;
export type WireAppendEntriesRequest = ValueOf<typeof appendEntriesRequest>;
export type WireInstallSnapshotRequest = ValueOf<typeof installSnapshotRequest>;
export type WireExtensionRequest = ValueOf<typeof extensionRequest>;
export type WireRequestVoteRequest = ValueOf<typeof requestVoteRequest>;
export type WireRequestPreVoteRequest = ValueOf<typeof requestPreVoteRequest>;
