/** Running a block: one interface, whoever executes (ev-node's core/execution, in our words). */

export interface GenesisParameters {
  readonly chainId: string;
  readonly initialHeight: number;
  readonly genesisTimeNs: bigint;
}

export interface BlockToExecute {
  readonly height: number;
  readonly timestampNs: bigint;
  readonly txs: readonly Uint8Array[];
  /** The state this block runs on; an executor that holds another one at `height - 1` throws. */
  readonly prevAppHash: Uint8Array;
}

export interface ExecutionResult {
  /** The state after the block. */
  readonly appHash: Uint8Array;
}

export interface ExecutionHead {
  /** 0 before the first block. */
  readonly height: number;
  readonly appHash: Uint8Array;
}

/** A transaction with the identity by which it is recognised when it comes again. */
export interface IdentifiedTx {
  readonly tx: Uint8Array;
  readonly id: Uint8Array;
}

/** A transaction that no block can take. */
export interface Unfit {
  /** For its sender, in the executor's words. */
  readonly reason: string;
  /** Nor can a later block: another transaction has taken its place, or it has no sender. */
  readonly isFinal: boolean;
}

/** The block that the leader is about to propose, on the executor's head. */
export interface BlockToBuild {
  readonly height: number;
  readonly timestampNs: bigint;
  /**
   * Transactions that came by RPC and are in no block yet, oldest first: as many as fit into a block, without those to
   * `skip`, which take no room from others. As long as one waits it is the same object.
   */
  readonly waiting: (skip?: (tx: IdentifiedTx) => boolean) => readonly IdentifiedTx[];
  /** True of a transaction that an earlier block holds: it must not be in another (P7). */
  readonly isKnownTx: (id: Uint8Array) => boolean;
}

export interface Executor {
  /** Why a transaction could never be in a block, for its sender; null if it could. */
  checkTx(tx: Uint8Array): string | null;
  /** The identity that a transaction has by itself; null where its sender gives it one, or nobody does. */
  identityOf(tx: Uint8Array): Uint8Array | null;
  /**
   * Shows a transaction to the executor's own pool, before it is accepted and again while it waits. Null if a
   * block may take it, or nobody can tell now.
   */
  screenTx(tx: Uint8Array): Promise<Unfit | null>;
  /** A transaction that no block has taken for so long is given up; null: never. */
  readonly txLifetimeMs: number | null;
  /**
   * The call that has gone without an answer for the longest time, by a number of its own; null if none is under way, or
   * the executor asks nobody.
   */
  readonly oldestCall: number | null;
  /** The state before the first block. Idempotent. */
  initChain(genesis: GenesisParameters): Promise<ExecutionResult>;
  /**
   * What block times are counted in: two blocks in a row never share a step. An execution client that
   * knows seconds only cannot have two blocks in one.
   */
  readonly timestampStepNs: bigint;
  /**
   * Tells the executor what the leader will ask for when the block is due, so that it begins to build now.
   * A hint: it changes nothing, and `build` works without it.
   */
  prepare(block: BlockToBuild): Promise<void>;
  /**
   * The transactions of the next block, in order. They may be some of those waiting, or others that the
   * executor has collected; what is not among them still waits. Changes nothing that lasts (P2).
   */
  build(block: BlockToBuild): Promise<readonly IdentifiedTx[]>;
  /**
   * Runs a committed block. Running the same block at the same height again changes nothing and
   * answers the same (a crash may come between the execution and the record of it).
   */
  executeTxs(block: BlockToExecute): Promise<ExecutionResult>;
  head(): Promise<ExecutionHead>;
  /** Blocks up to `height` will never be taken back. */
  setFinal(height: number): Promise<void>;
  close(): Promise<void>;
}
