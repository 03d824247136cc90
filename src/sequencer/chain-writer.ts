/**
 * Runs and stores blocks, one after the other: the only place where the head moves. A block of the log, one
 * of a snapshot and one from a peer come through here alike:
 *
 *   mark as to be signed (P4), unless it is signed, and meanwhile execute -> sign -> store
 *
 * An executor that does not answer is asked again until it does (P8), and one that has lost blocks gets them
 * again.
 */

import { setImmediate } from "node:timers/promises";
import { equalBytes } from "../base/bytes.ts";
import { sleep } from "../base/task-group.ts";
import type { BlockSigner } from "../block/sign.ts";
import type { ChainHead, Data, Height, SignedHeader, StoredBlock } from "../block/types.ts";
import { ExecutionError } from "../execution/errors.ts";
import type { BlockToExecute, Executor } from "../execution/executor.ts";
import { blockMissing, executorDiverged } from "./errors.ts";
import type { ChainStore } from "./ports.ts";
import { repairedBlock } from "./repaired-block.ts";

/** A checked block, ready to be executed. */
export interface NextBlock {
  readonly height: Height;
  readonly hash: Uint8Array;
  /** To be signed here if its signature is empty. */
  readonly header: SignedHeader;
  readonly data: Data;
  readonly txIds: readonly Uint8Array[];
  /** Of the data with its metadata. */
  readonly dataHash: Uint8Array;
  /** Its log entry; 0 if that is not known. */
  readonly raftIndex: number;
  readonly raftTerm: number;
}

/** As ev-node names them: from the time a block is due until it is applied; its checks; its execution. */
export type BlockOperation = "block_production" | "block_validation" | "state_update";

export interface ExecutionListener {
  /** How long something took that is done once a block. */
  timed(operation: BlockOperation, durationMs: number): void;
  executionFailed(height: number, error: Error): void;
  /** It answers: it has run the block, or says where it is, which may be all that it is asked for a while. */
  executed(height: number): void;
}

export interface ChainListener extends ExecutionListener {
  /** The executor has lost blocks, and gets them again; null: it has them. */
  refilling(gap: { readonly height: Height; readonly targetHeight: Height } | null): void;
}

/** After so long the thread is given to heartbeats of peers and to clients for a moment (P13). */
const breathEveryMs = 10;

const retryMinMs = 50;
const retryMaxMs = 2_000;

export class ChainWriter {
  readonly #store: ChainStore;
  readonly #executor: Executor;
  readonly #signer: BlockSigner;
  readonly #listener: ChainListener;
  #head: ChainHead;
  #breathedAtMs = 0;

  constructor(
    head: ChainHead,
    dependencies: {
      readonly store: ChainStore;
      readonly executor: Executor;
      readonly signer: BlockSigner;
      readonly listener: ChainListener;
    },
  ) {
    this.#head = head;
    this.#store = dependencies.store;
    this.#executor = dependencies.executor;
    this.#signer = dependencies.signer;
    this.#listener = dependencies.listener;
  }

  /** The last applied block: what the next one is built on. */
  get head(): ChainHead {
    return this.#head;
  }

  /** null only if `signal` aborts before the block is executed. */
  async append(next: NextBlock, signal: AbortSignal): Promise<StoredBlock | null> {
    const { height, hash, header, data, txIds, dataHash, raftIndex, raftTerm } = next;
    const { timeNs } = header.header;
    const isSigned = header.signature.length > 0;
    const toExecute = {
      height,
      timestampNs: timeNs,
      txs: data.txs,
      prevAppHash: this.#head.appHash,
    };
    const [appHash] = await Promise.all([
      this.execute(toExecute, signal),
      isSigned ? null : this.#store.setWatermark({ height, hash }),
    ]);
    if (appHash === null) return null;
    const signed = isSigned ? header : this.#signer.sign(header.header);
    const block = { height, hash, header: signed, data, txIds, appHash, raftIndex, raftTerm };
    await this.#store.append(block);
    this.#head = { height, hash, dataHash, timeNs, appHash, raftIndex, raftTerm };
    return block;
  }

  /** The state after the block; null only if `signal` aborts first. Throws what no retry can mend. */
  async execute(block: BlockToExecute, signal: AbortSignal): Promise<Uint8Array | null> {
    const { height } = block;
    await this.#breathe();
    for (let retryMs = retryMinMs; !signal.aborted; retryMs = Math.min(retryMaxMs, 2 * retryMs)) {
      try {
        const beganMs = performance.now();
        const { appHash } = await this.#executor.executeTxs(block);
        this.#listener.timed("state_update", performance.now() - beganMs);
        this.#listener.executed(height);
        return appHash;
      } catch (error) {
        const isBehind = error instanceof ExecutionError && error.detail.code === "EXECUTION_GAP";
        if (!isBehind && !isTransient(error)) throw error;
        // A client that was killed or wiped has lost blocks: it gets them from here.
        if (isBehind) await this.#fillGap(error.detail.nextHeight, height, signal);
        else {
          this.#listener.executionFailed(height, error);
          await sleep(retryMs, signal);
        }
      }
    }
    return null;
  }

  /** Runs again what the executor has lost of the blocks up to the head. Waits until it answers. */
  async refill(signal: AbortSignal): Promise<void> {
    const executedHeight = await this.executedHeight(signal);
    const { height } = this.#head;
    if (executedHeight === null || executedHeight >= height) return;
    await this.#fillGap(executedHeight + 1, height + 1, signal);
  }

  /** Runs the stored blocks from height `from` to the one below `to`. Throws STATE_DIVERGENCE if one gives another state. */
  async #fillGap(from: Height, to: Height, signal: AbortSignal): Promise<void> {
    const targetHeight = to - 1;
    for (let height = from; height < to; height++) {
      this.#listener.refilling({ height: height - 1, targetHeight });
      const block = await repairedBlock(this.#store, height, signal);
      if (signal.aborted) return;
      if (block === null) throw blockMissing(height);
      const appHash = await this.execute(blockToExecute(block), signal);
      if (appHash === null) return;
      if (!equalBytes(appHash, block.appHash)) {
        throw executorDiverged(height, appHash, block.appHash);
      }
    }
    this.#listener.refilling(null);
  }

  /** Thousands of blocks may come with nothing to wait for between them. */
  async #breathe(): Promise<void> {
    if (performance.now() - this.#breathedAtMs < breathEveryMs) return;
    await setImmediate();
    this.#breathedAtMs = performance.now();
  }

  /** Up to where the executor is. Waits for an answer; null only if `signal` aborts first. */
  async executedHeight(signal: AbortSignal): Promise<Height | null> {
    let hasFailed = false;
    for (let retryMs = retryMinMs; !signal.aborted; retryMs = Math.min(retryMaxMs, 2 * retryMs)) {
      try {
        const { height } = await this.#executor.head();
        // What failed otherwise, such as a block that could not be built, is not mended by this answer.
        if (hasFailed) this.#listener.executed(height);
        return height;
      } catch (error) {
        if (!isTransient(error)) throw error;
        hasFailed = true;
        this.#listener.executionFailed(this.#head.height, error);
        await sleep(retryMs, signal);
      }
    }
    return null;
  }
}

/** A stored block, as it is run. */
export function blockToExecute({ height, header, data }: StoredBlock): BlockToExecute {
  const { timeNs: timestampNs, appHash: prevAppHash } = header.header;
  return { height, timestampNs, txs: data.txs, prevAppHash };
}

/** A client that does not answer may come back; a contradiction does not go away. */
function isTransient(error: unknown): error is ExecutionError {
  return error instanceof ExecutionError && error.detail.code === "EXECUTION_UNAVAILABLE";
}
