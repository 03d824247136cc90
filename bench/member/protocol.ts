/** What the benchmark and its member processes say to each other, over the IPC channel. */

import type { RoleReport } from "../../src/consensus/driver.ts";
import type { ServerId, Term } from "../../src/raft/types.ts";

export interface MemberOptions {
  readonly id: ServerId;
  readonly raftDir: string;
  readonly port: number;
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
}

export type Question =
  /** Proposes, and answers with how long each commit took. */
  | ({ readonly kind: "load" } & Load)
  | { readonly kind: "usage" }
  /** From now on it proposes whenever it leads, `pauseMs` after the last commit. */
  | { readonly kind: "keepProposing"; readonly sizeBytes: number; readonly pauseMs: number }
  /** Ends in order, so that profiles are written. */
  | { readonly kind: "stop" };

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
  | { readonly kind: "role"; readonly report: RoleReport; readonly atMs: number }
  /** The first command of a term: acknowledged to its proposer, or seen by another member. */
  | {
      readonly kind: "firstCommit";
      readonly term: Term;
      readonly isOwn: boolean;
      readonly atMs: number;
    }
  /** Every so often, and when it stands still: how far the log has been delivered. */
  | { readonly kind: "delivered"; readonly index: number; readonly atMs: number }
  | {
      readonly kind: "answer";
      readonly requestId: number;
      readonly result: LoadResult | Usage | null;
    }
  | { readonly kind: "failed"; readonly message: string };
