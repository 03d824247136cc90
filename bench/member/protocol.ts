/** What the benchmark and its member processes, ours and those in `peers`, say to each other over the IPC channel. */

import type { RoleReport } from "../../src/consensus/driver.ts";
import type { ServerId, Term } from "../../src/raft/types.ts";

export interface MemberOptions {
  readonly id: ServerId;
  readonly raftDir: string;
  readonly port: number;
  /** Where the others find it: behind a slow network that is not where it listens. */
  readonly advertisedAddress: string;
  readonly peers: readonly (readonly [ServerId, string])[];
  readonly timeouts: Timeouts;
}

export interface Timeouts {
  readonly heartbeatTimeoutMs: number;
  readonly electionTimeoutMs: number;
  readonly leaderLeaseTimeoutMs: number;
  readonly sendTimeoutMs: number;
}

/** Work for a leader, and how long it may take. */
export interface Load {
  readonly sizeBytes: number;
  readonly inFlight: number;
  /** Ends at whichever comes first. */
  readonly seconds: number;
  readonly commitsMax: number;
  /** Each entry is a block, with whatever else this member asks of its peers for one. */
  readonly asBlocks?: boolean;
}

export type Question =
  /** Proposes, and answers with how long each commit took. */
  | ({ readonly kind: "load" } & Load)
  | { readonly kind: "usage" }
  /** From now on it proposes whenever it can, `pauseMs` after the last time. */
  | ({ readonly kind: "keepProposing" } & LightLoad)
  /** It does so no more. */
  | { readonly kind: "rest" }
  /** Ends in order, so that profiles are written. */
  | { readonly kind: "stop" };

export interface LightLoad {
  readonly sizeBytes: number;
  readonly pauseMs: number;
}

export type ToMember = Question & { readonly requestId: number };

export interface LoadResult {
  readonly elapsedMs: number;
  readonly latenciesMs: readonly number[];
}

export interface Usage {
  /** Of all threads, since the start. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

/** Moments are of the machine's monotonic clock, which all its processes share. */
export type FromMember =
  | { readonly kind: "started"; readonly atMs: number }
  /** It has a leader for the first time since its start. */
  | { readonly kind: "contact"; readonly atMs: number }
  | {
      readonly kind: "role";
      readonly report: Pick<RoleReport, "term" | "leaderId" | "hasJoined">;
      readonly atMs: number;
    }
  /** A command of the light load is committed, and its proposer knows it. */
  | { readonly kind: "acknowledged"; readonly term: Term; readonly atMs: number }
  /** The first command of a term, seen by a member that did not propose it. */
  | { readonly kind: "seen"; readonly term: Term; readonly atMs: number }
  /** Every so often, or when it stands still: how far the log has been delivered. */
  | { readonly kind: "delivered"; readonly index: number; readonly atMs: number }
  | {
      readonly kind: "answer";
      readonly requestId: number;
      readonly result: LoadResult | Usage | null;
    }
  | { readonly kind: "failed"; readonly message: string };
