/**
 * Applies what is committed, by the same code on every node and in log order (P1, P2). Nothing is dropped
 * (P8): while a block waits for its executor, or for those below it, the consensus thread sends no
 * more than a window of entries.
 *
 *   start --> replay: the executor gets the stored blocks that it lacks
 *                |
 *   entry -------+--> the next block -----------------------------> run, sign, store
 *   entry ----------> the first of this log, and far above our head -> fetch what is below, then run it
 *   snapshot -------> fetch the blocks below the one it ends with, then run that one
 */

import { equalBytes } from "../base/bytes.ts";
import { BlockError } from "../block/errors.ts";
import type { BlockSigner, SignatureChecker } from "../block/sign.ts";
import { decodeStateSnapshot, type StateSnapshot, type TxIdsAt } from "../block/snapshot-codec.ts";
import type { BlockPayload, ChainHead, Height, StoredBlock } from "../block/types.ts";
import { type BlockExpectations, checkBlock, checkClaims } from "../block/validate.ts";
import type { Refusal, RefusalCode } from "../block/verdict.ts";
import type { Executor } from "../execution/executor.ts";
import { byHeight, fetchBlocks, type Target, type UnidentifiedBlock } from "./catch-up.ts";
import { ChainWriter, type ExecutionListener } from "./chain-writer.ts";
import { blocksIn, type DecodedEntry, decodeEntry, slicesOf } from "./decode-entry.ts";
import { headDiverged, snapshotUnusable } from "./errors.ts";
import { blocksBuiltUpon } from "./mark-ahead.ts";
import type { BlockSource, ChainStore, CommittedEntry, ReceivedSnapshot } from "./ports.ts";
import { repairedBlock } from "./repaired-block.ts";
import { replayStoredBlocks } from "./replay.ts";

export interface AppliedBlock {
  readonly block: StoredBlock;
  readonly sizeBytes: number;
  /** From the log, or from another node. */
  readonly source: "raft" | "p2p";
}

/** What stands between this node and the blocks that are committed now. */
export interface Backlog {
  readonly kind: "replaying" | "fetching";
  /** The last block that is done. */
  readonly height: Height;
  readonly targetHeight: Height;
}

export interface ApplierListener extends ExecutionListener {
  applied(applied: AppliedBlock): void;
  /** A block that is about to be applied, and whose transactions nobody can name any more. */
  unidentified(block: UnidentifiedBlock): void;
  /** A committed entry that is no valid next block; refused alike on every node. */
  refused(entry: CommittedEntry, payload: BlockPayload | null, reason: string): void;
  /** `index` and everything before it is done with. */
  reached(index: number): void;
  /** null: it is done. */
  backlogChanged(backlog: Backlog | null, last: Backlog | null): void;
}

export interface ApplierOptions {
  readonly chainId: string;
  readonly head: ChainHead;
  /** Blocks of ev-node members, which carry no transaction identities, may be in the log. */
  readonly acceptsBlocksWithoutTxIds: boolean;
}

type Work =
  | { readonly kind: "beginning"; readonly appliedIndex: number }
  | { readonly kind: "refill" }
  | { readonly kind: "entries"; readonly entries: readonly CommittedEntry[] }
  | { readonly kind: "snapshot"; readonly snapshot: ReceivedSnapshot };

/** Where a block comes from, with its log entry. */
interface Origin {
  readonly index: number;
  readonly term: number;
  readonly source: AppliedBlock["source"];
  readonly sizeBytes: number;
}

export class Applier {
  readonly #store: ChainStore;
  readonly #source: BlockSource;
  readonly #expected: BlockExpectations;
  readonly #listener: ApplierListener;
  readonly #chain: ChainWriter;
  #queue: Work[] = [];
  #wake: () => void = () => {};
  /** Ends a fetch whose target a newer snapshot has overtaken. */
  #overtaken = new AbortController();
  #backlog: Backlog | null = null;
  /** What is interrupted while the executor gets blocks again that it had. */
  #interrupted: Backlog | null = null;
  /** Whether the head is a block of this log: then none can be missing below the next one. */
  #isAnchored = false;

  constructor(
    options: ApplierOptions,
    dependencies: {
      readonly store: ChainStore;
      readonly source: BlockSource;
      readonly executor: Executor;
      readonly signer: BlockSigner;
      readonly signatures: SignatureChecker;
      readonly listener: ApplierListener;
    },
  ) {
    const { store, source, signer, signatures, listener } = dependencies;
    this.#store = store;
    this.#source = source;
    this.#listener = listener;
    this.#chain = new ChainWriter(options.head, {
      ...dependencies,
      listener: {
        timed: (operation, durationMs) => listener.timed(operation, durationMs),
        executionFailed: (height, error) => listener.executionFailed(height, error),
        executed: (height) => listener.executed(height),
        refilling: (gap) => this.#refilling(gap),
      },
    });
    this.#expected = {
      chainId: options.chainId,
      proposerAddress: signer.signer.address,
      isKnownTx: (txId) => store.txLocation(txId) !== null,
      acceptsBlocksWithoutTxIds: options.acceptsBlocksWithoutTxIds,
      signatures,
    };
  }

  /** The last applied block: what the next one is built on. */
  get head(): ChainHead {
    return this.#chain.head;
  }

  /** null while there is nothing more to do than to apply what comes. */
  get backlog(): Backlog | null {
    return this.#backlog;
  }

  /** Whether blocks come next, or may, whose transactions have no names: the head says less than it seems to (P7). */
  get mayFetch(): boolean {
    const work = this.#backlog?.kind === "replaying" ? this.#interrupted : this.#backlog;
    return work?.kind === "fetching" || this.#queue.some(({ kind }) => kind === "snapshot");
  }

  /** Comes before any entry: up to `appliedIndex` the log is in the blocks; 0 if nothing of it is. */
  begin(appliedIndex: number): void {
    this.#queue.push({ kind: "beginning", appliedIndex });
    this.#wake();
  }

  enqueue(entries: readonly CommittedEntry[]): void {
    this.#queue.push({ kind: "entries", entries });
    this.#wake();
  }

  /** Stands for everything that was enqueued before, and for what came before that. */
  enqueueSnapshot(snapshot: ReceivedSnapshot): void {
    this.#queue.push({ kind: "snapshot", snapshot });
    this.#overtaken.abort();
    this.#wake();
  }

  /**
   * Runs again what the executor has lost: a client was killed or wiped, and it is the leader's builder that found out, so
   * that no committed block may come on which to notice it.
   */
  refill(): void {
    if (this.#queue.some(({ kind }) => kind === "refill")) return;
    this.#queue.push({ kind: "refill" });
    this.#wake();
  }

  /** Applies until `signal` aborts. Throws what no retry can mend. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    await this.#replay(signal);
    while (!signal.aborted) {
      const work = this.#queue.shift();
      if (work === undefined) await this.#untilWoken();
      else if (work.kind === "beginning") this.#begin(work.appliedIndex);
      else if (work.kind === "refill") await this.#chain.refill(signal);
      else if (work.kind === "entries") await this.#applyAll(work.entries, signal);
      else await this.#restore(work.snapshot, signal);
    }
  }

  #begin(appliedIndex: number): void {
    this.#isAnchored = appliedIndex > 0;
    this.#listener.reached(appliedIndex);
  }

  #untilWoken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  async #replay(signal: AbortSignal): Promise<void> {
    const { height: targetHeight } = this.head;
    const tell = (height: Height) => {
      if (height < targetHeight) this.#setBacklog({ kind: "replaying", height, targetHeight });
    };
    await replayStoredBlocks(this.#store, this.#chain, signal, tell);
    this.#setBacklog(null);
  }

  async #applyAll(entries: readonly CommittedEntry[], signal: AbortSignal): Promise<void> {
    for (const slice of slicesOf(entries)) {
      if (signal.aborted) return;
      const decoded = slice.map(decodeEntry);
      this.#markAhead(decoded);
      for (const { entry, payload } of decoded) {
        if (signal.aborted) return;
        if (payload !== null) await this.#applyEntry(entry, payload, signal);
        if (signal.aborted) return;
        this.#listener.reached(entry.index);
      }
    }
  }

  /** Throws for all of them if one was signed with another hash: that is fatal, now or in its turn. */
  #markAhead(decoded: readonly DecodedEntry[]): void {
    const isSound = (payload: BlockPayload) => checkClaims(payload, this.#expected) === null;
    this.#store.markAhead(blocksBuiltUpon(this.head, blocksIn(decoded), isSound));
  }

  async #applyEntry(
    entry: CommittedEntry,
    payload: BlockPayload | string,
    signal: AbortSignal,
  ): Promise<void> {
    if (typeof payload === "string") return this.#listener.refused(entry, null, payload);
    if ((await this.#isHeld(payload, signal)) || signal.aborted) return;
    if (this.#isAbove(payload)) {
      await this.#fetchTo(await this.#parentOf(payload, [], signal), signal);
      if (signal.aborted) return;
    }
    const { index, term } = entry;
    const sizeBytes = entry.data?.length ?? 0;
    const refusal = await this.#append(payload, { index, term, source: "raft", sizeBytes }, signal);
    if (refusal !== null) this.#listener.refused(entry, payload, refusal.reason);
  }

  /** Whether the block is in the store: its entry comes once more, after a restart in the middle of a backfill. */
  async #isHeld({ height, hash }: BlockPayload, signal: AbortSignal): Promise<boolean> {
    if (height > this.head.height) return false;
    const held = await repairedBlock(this.#store, height, signal);
    return held !== null && equalBytes(held.hash, hash);
  }

  /** Whether blocks are missing below the first one of this log. */
  #isAbove(payload: BlockPayload): boolean {
    if (this.#isAnchored || payload.height <= this.head.height + 1) return false;
    return checkClaims(payload, this.#expected) === null;
  }

  async #restore(received: ReceivedSnapshot, signal: AbortSignal): Promise<void> {
    if (this.#queue.some(({ kind }) => kind === "snapshot")) return this.#skipToSnapshot();
    const { block, recentTxIds } = decodeSnapshot(received);
    const { index, term, data } = received;
    const claim = checkClaims(block, this.#expected);
    if (claim !== null) throw snapshotUnusable(index, claim.reason);
    const { height } = block;
    if (height > this.head.height) {
      const overtaken = new AbortController();
      this.#overtaken = overtaken;
      const ended = AbortSignal.any([signal, overtaken.signal]);
      await this.#fetchTo(await this.#parentOf(block, recentTxIds, ended), ended);
      if (signal.aborted) return;
      if (overtaken.signal.aborted) return this.#skipToSnapshot();
      const origin = { index, term, source: "p2p", sizeBytes: data.length } as const;
      const refusal = await this.#append(block, origin, signal);
      if (refusal !== null) throw headDiverged(this.head, block.hash, refusal.reason);
      if (signal.aborted) return;
    } else if (this.#store.heightOf(block.hash) !== height) {
      // Pruned, or another: the block itself is read only then, since it may be damaged and the wait for another copy long.
      const held = await repairedBlock(this.#store, height, signal);
      if (signal.aborted) return;
      if (held !== null && !equalBytes(held.hash, block.hash)) {
        throw headDiverged(held, block.hash, `the committed block ${height} is another`);
      }
    }
    this.#listener.reached(index);
  }

  /** The newest snapshot stands for all work before it. */
  #skipToSnapshot(): void {
    this.#queue = this.#queue.slice(this.#queue.findLastIndex(({ kind }) => kind === "snapshot"));
  }

  /**
   * What must be there before the block can be run. The identities of the blocks that are missing below it are
   * in a snapshot of ours. One that a leader in Go has sent holds none, as a log does not whose first block
   * this is: then a member is asked, and until it has answered no repetition can be judged (P7).
   */
  async #parentOf(
    { height, header }: BlockPayload,
    recentTxIds: readonly TxIdsAt[],
    signal: AbortSignal,
  ): Promise<Target> {
    const parent = { height: height - 1, hash: header.header.lastHeaderHash };
    const areMissing = parent.height > this.head.height;
    if (!areMissing || recentTxIds.length > 0) return { ...parent, txIdsAt: byHeight(recentTxIds) };
    this.#fetching(this.head.height, parent);
    return { ...parent, txIdsAt: byHeight(await this.#source.txIds(parent.height, signal)) };
  }

  async #fetchTo(target: Target, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    if (target.height > this.head.height) this.#fetching(this.head.height, target);
    await fetchBlocks(this.#chain, this.#source, target, signal, {
      unidentified: (block) => this.#listener.unidentified(block),
      stored: (block) => {
        this.#fetching(block.height, target);
        this.#listener.applied({ block, sizeBytes: 0, source: "p2p" });
      },
    });
    if (!signal.aborted) this.#setBacklog(null);
  }

  #fetching(height: Height, target: { readonly height: Height }): void {
    this.#setBacklog({ kind: "fetching", height, targetHeight: target.height });
  }

  /** Applies the next block; or returns why it is none, alike on every node. Throws STATE_DIVERGENCE. */
  async #append(
    payload: BlockPayload,
    { index, term, source, sizeBytes }: Origin,
    signal: AbortSignal,
  ): Promise<Refusal | null> {
    const beganMs = performance.now();
    const verdict = checkBlock(payload, this.head, this.#expected);
    this.#listener.timed("block_validation", performance.now() - beganMs);
    if (verdict.kind === "refused") {
      this.#checkDivergence(payload, verdict);
      return verdict;
    }
    const { dataHash } = verdict;
    const next = { ...payload, dataHash, raftIndex: index, raftTerm: term };
    const block = await this.#chain.append(next, signal);
    if (block === null) return null;
    this.#isAnchored = true;
    this.#listener.applied({ block, sizeBytes, source });
    return null;
  }

  /**
   * A leader builds on the block that it has applied last, and every entry before the new one was applied
   * here. So a committed block above our head that does not build on it was built on another state: this
   * node, or the leader, has diverged. To refuse it and go on would be a silent fork.
   */
  #checkDivergence(payload: BlockPayload, { code, reason }: Refusal): void {
    const { height, lastHeaderHash } = payload.header.header;
    if (height <= this.head.height || checkClaims(payload, this.#expected) !== null) return;
    const isAbove = height > this.head.height + 1;
    if (isAbove || codesOfDivergence.has(code))
      throw headDiverged(this.head, lastHeaderHash, reason);
  }

  #refilling(gap: { readonly height: Height; readonly targetHeight: Height } | null): void {
    if (gap === null) return this.#setBacklog(this.#interrupted);
    if (this.#backlog?.kind !== "replaying") this.#interrupted = this.#backlog;
    this.#setBacklog({ kind: "replaying", ...gap });
  }

  #setBacklog(backlog: Backlog | null): void {
    const last = this.#backlog;
    if (backlog === last) return;
    this.#backlog = backlog;
    this.#listener.backlogChanged(backlog, last);
  }
}

const codesOfDivergence: ReadonlySet<RefusalCode> = new Set([
  "parentHash",
  "appHash",
  "lastDataHash",
]);

function decodeSnapshot({ index, data }: ReceivedSnapshot): StateSnapshot {
  try {
    return decodeStateSnapshot(data);
  } catch (error) {
    if (error instanceof BlockError) throw snapshotUnusable(index, error.message, error);
    throw error;
  }
}
