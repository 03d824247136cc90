/**
 * Turns committed entries into blocks, by the same code on every node and in log order (P1, P2):
 *
 *   check -> mark as to be signed (P4) and, meanwhile, execute -> sign -> store -> tell
 *
 * Nothing is dropped: an executor that fails is asked again until it answers (P8), and meanwhile the
 * consensus thread sends no more than a window of entries.
 */

import { describeError } from "../base/coded-error.ts";
import { sleep } from "../base/task-group.ts";
import { decodeBlockPayload } from "../block/codec.ts";
import { BlockError } from "../block/errors.ts";
import type { BlockSigner, SignatureChecker } from "../block/sign.ts";
import type { BlockPayload, ChainHead, StoredBlock } from "../block/types.ts";
import { checkBlock } from "../block/validate.ts";
import { ExecutionError } from "../execution/errors.ts";
import type { Executor } from "../execution/executor.ts";
import type { ChainStore, CommittedEntry } from "./ports.ts";

export interface AppliedBlock {
  readonly block: StoredBlock;
  readonly sizeBytes: number;
}

export interface ApplierListener {
  applied(applied: AppliedBlock): void;
  /** A committed entry that is no valid next block; refused alike on every node. */
  refused(entry: CommittedEntry, payload: BlockPayload | null, reason: string): void;
  executionFailed(height: number, error: Error): void;
  executionRecovered(height: number, downMs: number): void;
  /** `index` and everything before it is done with. */
  reached(index: number): void;
}

export interface ApplierOptions {
  readonly chainId: string;
  readonly head: ChainHead;
  /** Blocks of ev-node members, which carry no transaction identities, may be in the log. */
  readonly acceptsBlocksWithoutTxIds: boolean;
}

const retryMinMs = 50;
const retryMaxMs = 2_000;

export class Applier {
  readonly #options: ApplierOptions;
  readonly #store: ChainStore;
  readonly #executor: Executor;
  readonly #signer: BlockSigner;
  readonly #signatures: SignatureChecker;
  readonly #listener: ApplierListener;
  #queue: CommittedEntry[] = [];
  #wake: () => void = () => {};
  #head: ChainHead;

  constructor(
    options: ApplierOptions,
    dependencies: {
      readonly store: ChainStore;
      readonly executor: Executor;
      readonly signer: BlockSigner;
      readonly signatures: SignatureChecker;
      readonly listener: ApplierListener;
    },
  ) {
    this.#options = options;
    this.#store = dependencies.store;
    this.#executor = dependencies.executor;
    this.#signer = dependencies.signer;
    this.#signatures = dependencies.signatures;
    this.#listener = dependencies.listener;
    this.#head = options.head;
  }

  /** The last applied block: what the next one is built on. */
  get head(): ChainHead {
    return this.#head;
  }

  enqueue(entries: readonly CommittedEntry[]): void {
    this.#queue.push(...entries);
    this.#wake();
  }

  /** Applies until `signal` aborts. Throws what no retry can mend. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    while (!signal.aborted) {
      const entries = this.#queue;
      this.#queue = [];
      for (const entry of entries) {
        if (signal.aborted) return;
        if (entry.kind === "command") await this.#apply(entry, signal);
        if (signal.aborted) return;
        this.#listener.reached(entry.index);
      }
      if (this.#queue.length === 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  async #apply(entry: CommittedEntry, signal: AbortSignal): Promise<void> {
    const payload = decode(entry);
    if (typeof payload === "string") return this.#listener.refused(entry, null, payload);
    const verdict = checkBlock(payload, this.#head, {
      chainId: this.#options.chainId,
      proposerAddress: this.#signer.signer.address,
      isKnownTx: (txId) => this.#store.txLocation(txId) !== null,
      acceptsBlocksWithoutTxIds: this.#options.acceptsBlocksWithoutTxIds,
      signatures: this.#signatures,
    });
    if (verdict.kind === "refused") return this.#listener.refused(entry, payload, verdict.reason);

    const { header } = payload.header;
    const { height, hash } = payload;
    const isSigned = payload.header.signature.length > 0;
    const [appHash] = await Promise.all([
      this.#execute(payload, signal),
      isSigned ? null : this.#store.setWatermark({ height, hash }),
    ]);
    if (appHash === null) return;
    const signed = isSigned ? payload.header : this.#signer.sign(header);
    const block: StoredBlock = {
      height,
      hash,
      header: signed,
      data: payload.data,
      txIds: payload.txIds,
      appHash,
      raftIndex: entry.index,
      raftTerm: entry.term,
    };
    await this.#store.append(block);
    this.#head = {
      height: block.height,
      hash: block.hash,
      dataHash: verdict.dataHash,
      timeNs: header.timeNs,
      appHash,
      raftIndex: entry.index,
      raftTerm: entry.term,
    };
    this.#listener.applied({ block, sizeBytes: entry.data?.length ?? 0 });
  }

  /** The state after the block; null only if `signal` aborts first. */
  async #execute({ height, timestampNs, data }: BlockPayload, signal: AbortSignal) {
    const block = { height, timestampNs, txs: data.txs, prevAppHash: this.#head.appHash };
    let failingSinceMs: number | null = null;
    for (let retryMs = retryMinMs; !signal.aborted; retryMs = Math.min(retryMaxMs, 2 * retryMs)) {
      try {
        const { appHash } = await this.#executor.executeTxs(block);
        if (failingSinceMs !== null) {
          this.#listener.executionRecovered(height, performance.now() - failingSinceMs);
        }
        return appHash;
      } catch (error) {
        if (!isTransient(error)) throw error;
        failingSinceMs ??= performance.now();
        const cause = error instanceof Error ? error : new Error(describeError(error));
        this.#listener.executionFailed(height, cause);
        await sleep(retryMs, signal);
      }
    }
    return null;
  }
}

/** The block of an entry, or why it holds none. */
function decode({ data }: CommittedEntry): BlockPayload | string {
  if (data === null) return "the entry is empty";
  try {
    return decodeBlockPayload(data);
  } catch (error) {
    if (error instanceof BlockError) return error.message;
    throw error;
  }
}

/** A client that does not answer may come back; a contradiction does not go away. */
function isTransient(error: unknown): boolean {
  return error instanceof ExecutionError && error.detail.code === "EXECUTION_UNAVAILABLE";
}
