/**
 * The embedded executor: a map from keys to values. Deterministic: the app hash after a block follows
 * from the transactions up to it and from nothing else, which makes it good to test everything else with.
 */

import { assert, defined } from "../base/assert.ts";
import { equalBytes, toHex } from "../base/bytes.ts";
import { dataHashes } from "../block/hash.ts";
import { diverged, foreignChain, forgotten, gap } from "./errors.ts";
import type {
  BlockToBuild,
  BlockToExecute,
  ExecutionHead,
  ExecutionResult,
  Executor,
  GenesisParameters,
  IdentifiedTx,
  Unfit,
} from "./executor.ts";
import { KvStore, type KvStoreOptions, type KvValue, resultsKept } from "./kv-store.ts";
import { keyMaxBytes, parseKvTransaction } from "./kv-transaction.ts";
import { emptyRoot, leafOf, updateTree } from "./kv-tree.ts";

export class KvExecutor implements Executor {
  readonly timestampStepNs = 1n;
  readonly txLifetimeMs: number | null = null;
  readonly oldestCall: number | null = null;
  readonly #store: KvStore;
  #genesis: GenesisParameters | null;
  #head: ExecutionHead;
  #isWriting = false;

  /** Opens `<directory>/kv.mdb`. Throws StorageError or ExecutionError if it cannot be used. */
  constructor(options: KvStoreOptions) {
    this.#store = new KvStore(options);
    this.#genesis = this.#store.genesis();
    this.#head = this.#store.head() ?? { height: 0, appHash: emptyRoot };
  }

  /** Why a transaction would do nothing, for its sender; null if it is `key=value`. */
  checkTx(tx: Uint8Array): string | null {
    const parsed = parseKvTransaction(tx);
    return parsed.kind === "malformed" ? parsed.reason : null;
  }

  /** Whoever sends the same bytes twice means two transactions. */
  identityOf(_tx: Uint8Array): null {
    return null;
  }

  /** A block takes whatever is well formed. */
  async screenTx(_tx: Uint8Array): Promise<Unfit | null> {
    return null;
  }

  /** The value after the last executed block; null if no transaction wrote the key. */
  get(key: Uint8Array): KvValue | null {
    // LMDB fails on a longer one, as if the file were damaged; strangers choose what they ask for.
    if (key.length === 0 || key.length > keyMaxBytes) return null;
    return this.#store.value(key);
  }

  /**
   * The same with the height of the state that it is in: the last executed block's, or already that of the
   * next one, whose writes are read before it counts as executed.
   */
  read(key: Uint8Array): { readonly value: Uint8Array | null; readonly height: number } {
    const found = this.get(key);
    const height = Math.max(this.#head.height, found?.height ?? 0);
    return { value: found?.value ?? null, height };
  }

  async initChain(genesis: GenesisParameters): Promise<ExecutionResult> {
    if (this.#genesis === null) {
      await this.#write(() => this.#store.begin(genesis));
      this.#genesis = genesis;
    }
    this.#checkChain(this.#genesis, genesis);
    return { appHash: emptyRoot };
  }

  /** Nothing to begin: a block is what waits. */
  async prepare(_block: BlockToBuild): Promise<void> {}

  async build({ waiting }: BlockToBuild): Promise<readonly IdentifiedTx[]> {
    return waiting();
  }

  async executeTxs(block: BlockToExecute): Promise<ExecutionResult> {
    const { height, txs, prevAppHash } = block;
    const head = this.#head;
    if (height <= head.height) return this.#executedBefore(block);
    const nextHeight = this.#nextHeight();
    if (height !== nextHeight) throw gap(height, nextHeight);
    if (!equalBytes(prevAppHash, head.appHash)) throw otherState(block, head.appHash);

    const values = lastWrites(txs);
    const nodes: [Uint8Array, Uint8Array][] = [];
    const appHash = updateTree(
      {
        read: (place) => this.#store.treeNode(place),
        write: (place, node) => nodes.push([place, node]),
      },
      head.appHash,
      values.map(([key, value]) => leafOf(key, value)),
    );
    const result = { txsHash: hashOf(txs), prevAppHash, appHash };
    await this.#write(() => this.#store.addBlock({ height, result, values, nodes }));
    this.#head = { height, appHash };
    return { appHash };
  }

  async head(): Promise<ExecutionHead> {
    return this.#head;
  }

  /** Nothing is ever taken back. */
  async setFinal(_height: number): Promise<void> {}

  /** Resolves once every executed block is on disk; one that is not is executed again after a crash. */
  async flushed(): Promise<void> {
    await this.#store.flushed();
  }

  /** Writes what is waiting, and closes. May be called twice. */
  async close(): Promise<void> {
    await this.#store.close();
  }

  #nextHeight(): number {
    const { initialHeight } = defined(this.#genesis, "initChain comes before the first block");
    return this.#head.height === 0 ? initialHeight : this.#head.height + 1;
  }

  #executedBefore(block: BlockToExecute): ExecutionResult {
    const { height, txs, prevAppHash } = block;
    const result = this.#store.result(height);
    if (result === null) {
      const initialHeight = this.#genesis?.initialHeight ?? 1;
      throw forgotten(height, Math.max(initialHeight, this.#head.height - resultsKept + 1));
    }
    if (!equalBytes(prevAppHash, result.prevAppHash)) throw otherState(block, result.prevAppHash);
    const offered = hashOf(txs);
    if (!equalBytes(offered, result.txsHash)) {
      throw diverged({ height, field: "transactions", executed: result.txsHash, offered });
    }
    return { appHash: result.appHash };
  }

  #checkChain(ours: GenesisParameters, offered: GenesisParameters): void {
    for (const field of ["chainId", "initialHeight", "genesisTimeNs"] as const) {
      if (ours[field] === offered[field]) continue;
      const problem = `its ${field} is ${ours[field]}, the genesis says ${offered[field]}`;
      throw foreignChain(this.#store.path, problem);
    }
  }

  async #write(commit: () => Promise<void>): Promise<void> {
    assert(!this.#isWriting, "blocks are executed one after the other");
    this.#isWriting = true;
    try {
      await commit();
    } finally {
      this.#isWriting = false;
    }
  }
}

function otherState({ height, prevAppHash }: BlockToExecute, executed: Uint8Array) {
  return diverged({ height, field: "state before the block", executed, offered: prevAppHash });
}

/** The header's data hash, so that an operator can find it in the block. */
function hashOf(txs: readonly Uint8Array[]): Uint8Array {
  return dataHashes({ metadata: null, txs }).commitment;
}

/** Each key with the value that the last transaction gave it; malformed transactions do nothing. */
function lastWrites(txs: readonly Uint8Array[]): [key: Uint8Array, value: Uint8Array][] {
  const writes = new Map<string, [Uint8Array, Uint8Array]>();
  for (const tx of txs) {
    const parsed = parseKvTransaction(tx);
    if (parsed.kind === "put") writes.set(toHex(parsed.key), [parsed.key, parsed.value]);
  }
  return [...writes.values()];
}
