/** ev-node's block: a header, its data, and the entry that carries both through Raft. */

/** Blocks are counted from the genesis' `initial_height`, usually 1. */
export type Height = number;

export interface Version {
  readonly block: number;
  readonly app: number;
}

/** Hashes of ev-node's first releases; each may be empty. */
export interface LegacyHashes {
  readonly lastCommitHash: Uint8Array;
  readonly consensusHash: Uint8Array;
  readonly lastResultsHash: Uint8Array;
}

export interface Header {
  readonly version: Version;
  readonly height: Height;
  /** Unix time in nanoseconds. */
  readonly timeNs: bigint;
  /** Empty for the first block. */
  readonly lastHeaderHash: Uint8Array;
  readonly dataHash: Uint8Array;
  /** The state before this block. */
  readonly appHash: Uint8Array;
  readonly proposerAddress: Uint8Array;
  /** Empty in ev-node's default and EVM set-ups. */
  readonly validatorHash: Uint8Array;
  readonly chainId: string;
  /** Only on headers of the first releases, whose hash depends on them. */
  readonly legacy?: LegacyHashes;
}

export interface Signer {
  /** SHA-256 of the raw public key. */
  readonly address: Uint8Array;
  /** libp2p PublicKey protobuf, 36 bytes for Ed25519. */
  readonly publicKey: Uint8Array;
}

export interface SignedHeader {
  readonly header: Header;
  /** Empty until the block is committed and signed (P2). */
  readonly signature: Uint8Array;
  readonly signer: Signer;
}

export interface Metadata {
  readonly chainId: string;
  readonly height: Height;
  readonly timeNs: bigint;
  /** Empty for the first block. */
  readonly lastDataHash: Uint8Array;
}

export interface Data {
  readonly metadata: Metadata | null;
  readonly txs: readonly Uint8Array[];
}

/**
 * The payload of a block's log entry: ev-node's RaftBlockState, and in a field that ev-node skips
 * the identity of each transaction, by which a repeated one is recognised (P7).
 */
export interface BlockPayload {
  readonly height: Height;
  readonly hash: Uint8Array;
  readonly timestampNs: bigint;
  readonly header: SignedHeader;
  readonly data: Data;
  /** One for each transaction, in order. */
  readonly txIds: readonly Uint8Array[];
  readonly lastSubmittedDaHeaderHeight: number;
  readonly lastSubmittedDaDataHeight: number;
}

/** A block that was committed, signed, executed and stored. */
export interface StoredBlock {
  readonly height: Height;
  readonly hash: Uint8Array;
  readonly header: SignedHeader;
  readonly data: Data;
  readonly txIds: readonly Uint8Array[];
  /** The state after this block. */
  readonly appHash: Uint8Array;
  /** Of its log entry; 0 of a block that came from another node. */
  readonly raftIndex: number;
  readonly raftTerm: number;
}

/** What the next block builds on. */
export interface ChainHead {
  /** `initialHeight - 1` before the first block. */
  readonly height: Height;
  /** Empty before the first block. */
  readonly hash: Uint8Array;
  /** Hash of the last block's data with its metadata; empty before the first block. */
  readonly dataHash: Uint8Array;
  /** The genesis time before the first block. */
  readonly timeNs: bigint;
  readonly appHash: Uint8Array;
  readonly raftIndex: number;
  readonly raftTerm: number;
}

/** Where a transaction was executed. */
export interface TxLocation {
  readonly height: Height;
  readonly index: number;
}

/** Blocks as the HTTP and p2p servers read them. */
export interface BlockReader {
  readonly head: ChainHead;
  /** The lowest height still held; null without blocks. */
  readonly earliestHeight: Height | null;
  /** null if it is not held. Throws BlockError, BLOCK_DAMAGED, if it is and cannot be read. */
  blockAt(height: Height): StoredBlock | null;
  heightOf(hash: Uint8Array): Height | null;
}
