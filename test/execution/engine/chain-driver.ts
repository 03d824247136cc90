/** Leads a chain of one: builds each block with an executor, executes it, and keeps it as a block store would. */

import { equalBytes, toHex } from "../../../src/base/bytes.ts";
import type {
  BlockToExecute,
  Executor,
  GenesisParameters,
  IdentifiedTx,
} from "../../../src/execution/executor.ts";

export const genesis: GenesisParameters = {
  chainId: "evm-test",
  initialHeight: 1,
  genesisTimeNs: 1_700_000_000_000_000_000n,
};

const includeMaxBlocks = 100;

export class ChainDriver {
  readonly blocks: BlockToExecute[] = [];
  readonly #knownIds = new Set<string>();
  /** Of blocks that were built, and perhaps are never committed. */
  readonly #idsOf = new Map<BlockToExecute, readonly Uint8Array[]>();
  readonly #executor: Executor;
  #appHash: Uint8Array = new Uint8Array();
  #genesisAppHash: Uint8Array = new Uint8Array();

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  get height(): number {
    return this.blocks.length;
  }

  get appHash(): Uint8Array {
    return this.#appHash;
  }

  async begin(): Promise<void> {
    const { appHash } = await this.#executor.initChain(genesis);
    this.#appHash = appHash;
    this.#genesisAppHash = appHash;
  }

  next(waiting: readonly IdentifiedTx[] = []) {
    const height = this.height + 1;
    const timestampNs = genesis.genesisTimeNs + BigInt(height) * 1_000_000_000n;
    return {
      height,
      timestampNs,
      waiting: () => waiting,
      isKnownTx: (id: Uint8Array) => this.isKnown(id),
    };
  }

  isKnown(id: Uint8Array): boolean {
    return this.#knownIds.has(toHex(id));
  }

  /** The next block, built and not executed: what a leader proposes. */
  async build(waiting: readonly IdentifiedTx[] = []): Promise<BlockToExecute> {
    const next = this.next(waiting);
    const txs = await this.#executor.build(next);
    const { height, timestampNs } = next;
    const prevAppHash = this.#appHash;
    const block = { height, timestampNs, prevAppHash, txs: txs.map(({ tx }) => tx) };
    this.#idsOf.set(
      block,
      txs.map(({ id }) => id),
    );
    return block;
  }

  /** It is committed. */
  async execute(block: BlockToExecute): Promise<void> {
    const { appHash } = await this.#executor.executeTxs(block);
    this.blocks.push(block);
    for (const id of this.#idsOf.get(block) ?? []) this.#knownIds.add(toHex(id));
    this.#appHash = appHash;
  }

  async produce(waiting: readonly IdentifiedTx[] = []): Promise<BlockToExecute> {
    const block = await this.build(waiting);
    await this.execute(block);
    return block;
  }

  /**
   * Produces blocks until `txs` are in them. A client takes transactions into its pool, and out of it into a
   * block, in its own time.
   */
  async include(txs: readonly IdentifiedTx[]): Promise<BlockToExecute[]> {
    const blocks: BlockToExecute[] = [];
    for (;;) {
      const waiting = txs.filter(({ id }) => !this.isKnown(id));
      if (waiting.length === 0) return blocks;
      if (blocks.length === includeMaxBlocks) throw new Error("the transactions are in no block");
      blocks.push(await this.produce(waiting));
    }
  }

  /** Runs the kept blocks above the head of `executor`, and checks that each gives what it gave here. */
  async replayInto(executor: Executor): Promise<number> {
    const { height: from } = await executor.head();
    for (const block of this.blocks.slice(from)) {
      const { appHash } = await executor.executeTxs(block);
      const expected = this.blocks[block.height]?.prevAppHash ?? this.#appHash;
      if (!equalBytes(appHash, expected)) throw new Error(`another state at ${block.height}`);
    }
    return this.height - from;
  }

  get genesisAppHash(): Uint8Array {
    return this.#genesisAppHash;
  }
}
