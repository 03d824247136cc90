/** Accepting transactions: identity, limits, waiting, and the answer (DESIGN section 5, P7). */

import { randomBytes } from "node:crypto";
import { concatBytes } from "../base/bytes.ts";
import { sleep } from "../base/task-group.ts";
import { sha256 } from "../block/hash.ts";
import type { TxLocation } from "../block/types.ts";
import type { ChainStore } from "./ports.ts";
import type { PendingTx, TxFate, TxPool, Waiter } from "./tx-pool.ts";

export interface SubmissionOptions {
  readonly txMaxBytes: number;
  /** Without a leader for so long, a waiting client is told so. */
  readonly waitForLeaderTimeoutMs: number;
  /** With a leader, but no commit, for so long. */
  readonly commitTimeoutMs: number;
}

export interface Submission {
  readonly tx: Uint8Array;
  readonly idempotencyKey: string | null;
  readonly wait: "commit" | "accept";
  readonly signal: AbortSignal;
}

export type SubmissionAnswer =
  | { readonly kind: "committed"; readonly txId: Uint8Array; readonly location: TxLocation }
  | { readonly kind: "accepted"; readonly txId: Uint8Array }
  | { readonly kind: "queueFull"; readonly retryAfterMs: number }
  | { readonly kind: "tooLarge"; readonly maxBytes: number }
  | { readonly kind: "invalid"; readonly reason: string }
  | {
      readonly kind: "unavailable";
      readonly reason: string;
      readonly txId: Uint8Array;
      readonly mayCommit: boolean;
    };

const sweepMs = 50;

export class Submissions {
  readonly #options: SubmissionOptions;
  readonly #pool: TxPool;
  readonly #store: ChainStore;
  readonly #checkTx: (tx: Uint8Array) => string | null;
  readonly #leaderTerm: () => number | null;
  readonly #onAdded: () => void;

  constructor(
    options: SubmissionOptions,
    dependencies: {
      readonly pool: TxPool;
      readonly store: ChainStore;
      /** Why the executor could not run this transaction; null if it could. */
      readonly checkTx: (tx: Uint8Array) => string | null;
      /** The term of the leader, this node or another; null without one. */
      readonly leaderTerm: () => number | null;
      readonly onAdded: () => void;
    },
  ) {
    this.#options = options;
    this.#pool = dependencies.pool;
    this.#store = dependencies.store;
    this.#checkTx = dependencies.checkTx;
    this.#leaderTerm = dependencies.leaderTerm;
    this.#onAdded = dependencies.onAdded;
  }

  async submit({ tx, idempotencyKey, wait, signal }: Submission): Promise<SubmissionAnswer> {
    if (tx.length > this.#options.txMaxBytes) {
      return { kind: "tooLarge", maxBytes: this.#options.txMaxBytes };
    }
    const problem = this.#checkTx(tx);
    if (problem !== null) return { kind: "invalid", reason: problem };
    const txId = idempotencyKey === null ? freshId() : idOfKey(idempotencyKey);
    const location = this.#store.txLocation(txId);
    if (location !== null) return { kind: "committed", txId, location };

    const isNew = this.#pool.get(txId) === null;
    if (isNew && !this.#pool.hasRoomFor(tx)) return { kind: "queueFull", retryAfterMs: 1_000 };
    if (wait === "accept") {
      // In the pool before it is on disk: it takes its room there, and a block that takes it
      // meanwhile finds it.
      this.#pend(txId, tx).isDurable = true;
      await this.#store.keepTx(txId, tx);
      return { kind: "accepted", txId };
    }
    const fate = await this.#fateOf(this.#pend(txId, tx), signal);
    return { ...fate, txId };
  }

  /** What is on disk from before a restart, and is still to be committed. */
  restore(kept: Iterable<{ readonly txId: Uint8Array; readonly tx: Uint8Array }>): void {
    for (const { txId, tx } of kept) {
      if (this.#store.txLocation(txId) === null) this.#pend(txId, tx).isDurable = true;
      else this.#store.dropTx(txId);
    }
  }

  #pend(id: Uint8Array, tx: Uint8Array): PendingTx {
    const known = this.#pool.get(id);
    if (known !== null) this.#pool.keepFor(known, "client");
    const pending = known ?? this.#pool.add({ id, tx, origin: "client", isDurable: false });
    this.#onAdded();
    return pending;
  }

  /** A block with this transaction was applied here. */
  committed(txId: Uint8Array, location: TxLocation): void {
    const pending = this.#pool.remove(txId);
    if (pending === null) return;
    if (pending.isDurable) this.#store.dropTx(txId);
    for (const waiter of pending.waiters) waiter.settle({ kind: "committed", location });
  }

  /** Tells those who waited long enough. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(sweepMs, signal);
      const leaderTerm = this.#leaderTerm();
      const nowMs = performance.now();
      for (const pending of [...this.#pool]) this.#sweep(pending, nowMs, leaderTerm);
    }
    for (const pending of [...this.#pool]) {
      this.#giveUp(pending, [...pending.waiters], "this node is shutting down");
    }
  }

  #fateOf(pending: PendingTx, signal: AbortSignal): Promise<TxFate> {
    return new Promise((resolve) => {
      const onAbort = () => this.#giveUp(pending, [waiter], "the client went away");
      const waiter: Waiter = {
        countedMs: performance.now(),
        leaderlessMs: 0,
        ledMs: 0,
        settle: (fate) => {
          signal.removeEventListener("abort", onAbort);
          pending.waiters.delete(waiter);
          resolve(fate);
        },
      };
      pending.waiters.add(waiter);
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
  }

  #sweep(pending: PendingTx, nowMs: number, leaderTerm: number | null): void {
    const { waitForLeaderTimeoutMs, commitTimeoutMs } = this.#options;
    for (const waiter of [...pending.waiters]) {
      const elapsedMs = nowMs - waiter.countedMs;
      waiter.countedMs = nowMs;
      if (leaderTerm !== null) waiter.ledMs += elapsedMs;
      else waiter.leaderlessMs += elapsedMs;
      if (waiter.leaderlessMs >= waitForLeaderTimeoutMs) {
        const seconds = waitForLeaderTimeoutMs / 1000;
        this.#giveUp(pending, [waiter], `there was no leader for ${seconds} s`);
      } else if (waiter.ledMs >= commitTimeoutMs) {
        this.#giveUp(pending, [waiter], `no block took it within ${commitTimeoutMs / 1000} s`);
      } else if (leaderTerm !== null && this.#pool.isExhausted(pending, leaderTerm)) {
        this.#giveUp(pending, [waiter], `${pending.offers} leaders in a row were lost`);
      }
    }
  }

  #giveUp(pending: PendingTx, waiters: readonly Waiter[], reason: string): void {
    const mayCommit = pending.offers > 0 || pending.isDurable;
    for (const waiter of waiters) waiter.settle({ kind: "unavailable", reason, mayCommit });
    if (!pending.isDurable && pending.waiters.size === 0) this.#pool.release(pending, "client");
  }
}

/** Two equal transactions without a key are two transactions; a retry within the cluster is not. */
function freshId(): Uint8Array {
  return new Uint8Array(randomBytes(16));
}

/** The identity of what a client sends with an `Idempotency-Key`, on whichever node. */
export function idOfKey(key: string): Uint8Array {
  const text = new TextEncoder();
  return sha256(concatBytes(text.encode("idempotency-key:"), text.encode(key)));
}
