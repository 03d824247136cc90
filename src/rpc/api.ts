/** What the HTTP server asks of the node. `node/` implements it; tests give it a chain of their own. */

import type { SubmitOutcome, SubmitRequest } from "../block/submit.ts";
import type { BlockReader, Height } from "../block/types.ts";

export type NodeRole = "follower" | "preCandidate" | "candidate" | "leader";

/** What the node itself is doing. */
export type NodeStateName = "recovering" | "following" | "catchingUp" | "producing" | "draining";

/** `result.raft_info` of `GET /status`. */
export interface RaftStatus {
  readonly nodeId: string;
  readonly role: NodeRole;
  readonly leaderId: string | null;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly lastLogIndex: number;
  readonly firstLogIndex: number;
  readonly state: NodeStateName;
}

export interface StatusFacts {
  readonly chainId: string;
  readonly moniker: string;
  /** libp2p peer id. */
  readonly peerId: string;
  readonly p2pListenAddress: string;
  readonly rpcAddress: string;
  readonly version: string;
  readonly validatorAddress: Uint8Array;
  readonly validatorPublicKey: Uint8Array;
  /** Committed blocks exist that this node has not applied. */
  readonly catchingUp: boolean;
  /** Of the cluster, this node among them. */
  readonly memberCount: number;
  /** null on a single sequencer (`raft.enable: false`). */
  readonly raft: RaftStatus | null;
}

export interface ClusterMember {
  readonly id: string;
  readonly address: string;
  readonly role: NodeRole | "unknown";
  readonly suffrage: "voter" | "nonvoter" | "staging";
  readonly health: "Healthy" | "Degraded" | "Unreachable";
  /** ISO 8601, UTC; null if never. */
  readonly lastHeartbeat: string | null;
  readonly rttMs: number | null;
  readonly matchIndex: number | null;
  readonly height: number | null;
}

export interface ClusterStatus {
  readonly leaderId: string | null;
  readonly term: number;
  readonly nodes: readonly ClusterMember[];
  readonly commitIndex: number;
  readonly lastApplied: number;
}

/** Of libp2p. */
export interface NetworkFacts {
  /** Multiaddrs where peers reach this node. */
  readonly addresses: readonly string[];
  readonly peers: readonly {
    readonly peerId: string;
    readonly address: string;
    readonly direction: "inbound" | "outbound";
  }[];
}

export interface Health {
  readonly isHealthy: boolean;
  /** A sentence; ev-node's words where it has them. */
  readonly reason: string;
}

export type ReadOutcome =
  | { readonly kind: "value"; readonly value: Uint8Array | null; readonly height: Height }
  | { readonly kind: "unavailable"; readonly reason: string }
  /** The executor keeps no readable state (`engine`). */
  | { readonly kind: "unsupported"; readonly reason: string };

export type TransferOutcome =
  | { readonly kind: "transferred"; readonly leaderId: string }
  | { readonly kind: "notLeader"; readonly leaderId: string | null }
  | { readonly kind: "failed"; readonly reason: string };

/** The Ethereum client beside the node, for wallets. */
export interface EthereumClient {
  /** Passes a JSON-RPC call on, unchanged. Never rejects for what the client does. */
  pass(call: {
    readonly method: string;
    readonly json: string;
    readonly signal: AbortSignal;
  }): Promise<
    | { readonly kind: "answered"; readonly json: string }
    | { readonly kind: "unavailable"; readonly error: Error }
    /** `signal` aborted first. */
    | { readonly kind: "abandoned" }
  >;
}

export interface NodeApi {
  readonly blocks: BlockReader;
  /** null where there is none. */
  readonly ethereum: EthereumClient | null;
  status(): Promise<StatusFacts>;
  cluster(): Promise<ClusterStatus>;
  network(): Promise<NetworkFacts>;
  /** The process and its threads work. Never depends on peers or on the execution client. */
  live(): Promise<Health>;
  /** Follows or leads, is not behind, executes, is not draining. */
  ready(): Promise<Health>;
  /** Leader with a valid lease. */
  leader(): Promise<Health>;
  submit(request: SubmitRequest): Promise<SubmitOutcome>;
  readState(
    key: Uint8Array,
    consistency: "linearizable" | "stale",
    signal: AbortSignal,
  ): Promise<ReadOutcome>;
  /** Hands leadership to `targetId`, or to the readiest peer. */
  transferLeadership(targetId: string | null): Promise<TransferOutcome>;
}
