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

export interface Executor {
  /** The state before the first block. Idempotent. */
  initChain(genesis: GenesisParameters): Promise<ExecutionResult>;
  /** Transactions the executor itself has collected; empty where all come by RPC. */
  getTxs(): Promise<readonly Uint8Array[]>;
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
