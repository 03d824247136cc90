/** What the sequencer needs of the layers beside it. `node/` connects them. */

import type { TxIdsAt } from "../block/snapshot-codec.ts";
import type {
  BlockReader,
  ChainHead,
  Data,
  Height,
  SignedHeader,
  StoredBlock,
  TxLocation,
} from "../block/types.ts";

/** Of the consensus thread. */
export interface ConsensusPort {
  /** Answers once the entry is committed, or never will be by this proposal. */
  propose(term: number, data: Uint8Array): Promise<ProposalAnswer>;
  /** Everything up to `index` is applied: there is room for more (P8). */
  applied(index: number): void;
  /** Whether this node may trust, right now, that it leads `term`. */
  holdsLease(term: number): boolean;
  transferLeadership(targetId: string | null): void;
  /** A request to another node's main thread. */
  askPeer(peerId: string, method: string, body: Uint8Array, timeoutMs: number): Promise<PeerReply>;
}

export type ProposalAnswer =
  | { readonly kind: "committed"; readonly index: number; readonly term: number }
  | { readonly kind: "lost" }
  | { readonly kind: "notLeader" }
  | { readonly kind: "unavailable"; readonly reason: string };

export type PeerReply =
  | { readonly kind: "answered"; readonly status: number; readonly body: Uint8Array }
  | { readonly kind: "failed"; readonly reason: string; readonly failure: PeerFailure };

/** `foreign`: it is another program than this, and will never answer. `unanswered`: it may have heard, and acted. */
export type PeerFailure = "foreign" | "notSent" | "unanswered";

/** A committed log entry, in order and without gaps. */
export interface CommittedEntry {
  readonly index: number;
  readonly term: number;
  /** Only commands are blocks; the others just take an index. */
  readonly kind: string;
  readonly data: Uint8Array | null;
}

/** What stands for all entries up to `index`, which the log does not hold any more. */
export interface ReceivedSnapshot {
  readonly index: number;
  readonly term: number;
  readonly data: Uint8Array;
}

/** A block that is proven to lie on the committed chain: its hash, its signature and its data. */
export interface FetchedBlock {
  readonly height: Height;
  readonly hash: Uint8Array;
  readonly header: SignedHeader;
  readonly data: Data;
  /** Of the data with its metadata. */
  readonly dataHash: Uint8Array;
}

/** Blocks of other nodes. */
export interface BlockSource {
  /**
   * Every block above `parent` up to `target`, whose hash is committed, in ascending height. Waits for
   * peers as long as it takes; throws if the chain of `target` does not go through `parent`, and the
   * reason of `signal`.
   */
  blocks(
    gap: {
      readonly parent: ChainHead;
      readonly target: { readonly height: Height; readonly hash: Uint8Array };
    },
    signal: AbortSignal,
  ): AsyncIterable<FetchedBlock>;
  /**
   * The identities within the window below `height`, this height included, which blocks from peers come
   * without. Waits until a member has them, or it is known that none has the rest; and answers anything once
   * `signal` aborts.
   */
  txIds(height: Height, signal: AbortSignal): Promise<readonly TxIdsAt[]>;
}

/** Of the block store: what applying and accepting transactions need. */
export interface ChainStore extends BlockReader {
  append(block: StoredBlock): Promise<void>;
  /**
   * Makes durable that `hash` is signed at `height`, before it is (P4). Rejects if another hash was,
   * or may have been, signed there.
   */
  setWatermark(mark: { readonly height: number; readonly hash: Uint8Array }): Promise<void>;
  /** Marks blocks, from the next one on, that will be signed in their turn: so that one write does for all. Throws as `setWatermark`. */
  markAhead(marks: readonly { readonly height: number; readonly hash: Uint8Array }[]): void;
  txLocation(txId: Uint8Array): TxLocation | null;
  /** From here to the head every transaction has a location; below, what is executed is not known by name. */
  readonly identifiedFrom: Height;
  /** Durable when it resolves. */
  keepTx(txId: Uint8Array, tx: Uint8Array): Promise<void>;
  dropTx(txId: Uint8Array): void;
}

/** How the Raft role changed. */
export interface RaftRole {
  readonly role: "follower" | "preCandidate" | "candidate" | "leader";
  readonly term: number;
  readonly leaderId: string | null;
  readonly hasJoined: boolean;
  readonly isRecovering: boolean;
  readonly commitIndex: number;
}

/** Before the consensus thread has said anything. */
export const unknownRole: RaftRole = {
  role: "follower",
  term: 0,
  leaderId: null,
  hasJoined: false,
  isRecovering: false,
  commitIndex: 0,
};
