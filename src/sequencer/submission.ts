/** Accepting transactions: identity, limits, waiting, and the answer (P7). */

import { randomBytes } from "node:crypto";
import { concatBytes, toHex } from "../base/bytes.ts";
import { sleep } from "../base/task-group.ts";
import { sha256 } from "../block/hash.ts";
import type { SubmitOutcome, SubmitRequest } from "../block/submit.ts";
import type { TxLocation } from "../block/types.ts";
import type { Executor } from "../execution/executor.ts";
import type { UnidentifiedBlock } from "./catch-up.ts";
import type { ChainStore } from "./ports.ts";
import type { PendingTx, TxFate, TxPool, Waiter } from "./tx-pool.ts";

export interface SubmissionOptions {
  readonly txMaxBytes: number;
  /** Without a leader for so long, a waiting client is told so. */
  readonly waitForLeaderTimeoutMs: number;
  /** With a leader, but no commit, for so long. */
  readonly commitTimeoutMs: number;
}

const sweepMs = 50;
/** A client that sends again does so soon. */
const letGoMax = 10_000;

type TxRules = Pick<Executor, "checkTx" | "identityOf" | "screenTx">;

export class Submissions {
  readonly #options: SubmissionOptions;
  readonly #pool: TxPool;
  readonly #store: ChainStore;
  readonly #executor: TxRules;
  readonly #leaderTerm: () => number | null;
  readonly #onAdded: () => void;
  /** In the order in which they came. */
  readonly #waiting = new Map<Waiter, PendingTx>();
  readonly #digests = new WeakMap<PendingTx, string>();
  /** Those that nobody here waits for any more, and that a leader may have: their clients may send them again. */
  readonly #letGo = new Set<string>();
  #tickedMs = performance.now();
  #ledMs = 0;
  #leaderlessMs = 0;
  /** The leader's term for which the pool was looked through. */
  #exhaustedTerm: number | null = null;

  constructor(
    options: SubmissionOptions,
    dependencies: {
      readonly pool: TxPool;
      readonly store: ChainStore;
      readonly executor: TxRules;
      /** The term of the leader, this node or another; null without one. */
      readonly leaderTerm: () => number | null;
      readonly onAdded: () => void;
    },
  ) {
    this.#options = options;
    this.#pool = dependencies.pool;
    this.#store = dependencies.store;
    this.#executor = dependencies.executor;
    this.#leaderTerm = dependencies.leaderTerm;
    this.#onAdded = dependencies.onAdded;
  }

  async submit({ tx, idempotencyKey, wait, signal }: SubmitRequest): Promise<SubmitOutcome> {
    if (tx.length > this.#options.txMaxBytes) {
      return { kind: "tooLarge", maxBytes: this.#options.txMaxBytes };
    }
    const problem = this.#executor.checkTx(tx);
    if (problem !== null) return { kind: "invalid", reason: problem };
    const keyId = idempotencyKey === null ? null : idOfKey(idempotencyKey);
    // An Ethereum transaction is executed once by itself, whatever it is called.
    const ownId = this.#executor.identityOf(tx) ?? keyId;
    const executesOnce = ownId !== null;
    const txId = ownId ?? freshId();
    if (!this.#isKnown(txId)) {
      // Before an execution client has seen it: it keeps what it was shown.
      if (!this.#pool.hasRoomFor(tx)) return { kind: "queueFull", retryAfterMs: 1_000 };
      const unfit = await this.#executor.screenTx(tx);
      if (unfit !== null) return { kind: "invalid", reason: unfit.reason };
    }
    const location = this.#store.txLocation(txId);
    if (location !== null) return { kind: "committed", txId, location };

    const isNew = this.#pool.get(txId) === null;
    if (isNew && !this.#pool.hasRoomFor(tx)) {
      if (!this.#isShared(tx)) return { kind: "queueFull", retryAfterMs: 1_000 };
      const reason = "the queue is full";
      return { kind: "unavailable", reason, txId, mayCommit: true, executesOnce };
    }
    if (wait === "accept") {
      // In the pool before it is on disk: it takes its room there, and a block that takes it
      // meanwhile finds it.
      this.#pend(txId, tx).isDurable = true;
      await this.#store.keepTx(txId, tx);
      return { kind: "accepted", txId };
    }
    const fate = await this.#fateOf(this.#pend(txId, tx), signal);
    return fate.kind === "committed" ? { ...fate, txId } : { ...fate, txId, executesOnce };
  }

  #isKnown(txId: Uint8Array): boolean {
    return this.#pool.get(txId) !== null || this.#store.txLocation(txId) !== null;
  }

  /** What is on disk from before a restart, and is still to be committed. */
  restore(kept: Iterable<{ readonly txId: Uint8Array; readonly tx: Uint8Array }>): void {
    for (const { txId, tx } of kept) {
      if (this.#store.txLocation(txId) === null) {
        Object.assign(this.#pend(txId, tx), { isDurable: true, hasWaitedBefore: true });
      } else this.#store.dropTx(txId);
    }
  }

  /**
   * A committed block, about to be applied, whose transactions have no names any more: so old is it. What a leader
   * was offered may be one of them, and would be executed again if it were offered once more (P7). What a transaction
   * says tells: one that has the same bytes is it.
   */
  foundUnidentified({ height, data }: UnidentifiedBlock): void {
    const suspects = new Map<string, PendingTx[]>();
    for (const pending of this.#pool) {
      if (!mayBeWithLeader(pending) || pending.origin === "peer") continue;
      const name = this.#digestOf(pending);
      const equals = suspects.get(name);
      if (equals === undefined) suspects.set(name, [pending]);
      else equals.push(pending);
    }
    if (suspects.size === 0) return;
    for (const [index, tx] of data.txs.entries()) {
      // Each occurrence is one of them: the oldest, as leaders take them.
      const found = suspects.get(toHex(sha256(tx)))?.shift();
      if (found !== undefined) this.committed(found.id, { height, index });
    }
  }

  #digestOf(pending: PendingTx): string {
    const known = this.#digests.get(pending) ?? toHex(sha256(pending.tx));
    this.#digests.set(pending, known);
    return known;
  }

  /** Whether others may include it by themselves: an execution client that screens transactions keeps them, and tells its peers. */
  #isShared(tx: Uint8Array): boolean {
    return this.#executor.identityOf(tx) !== null;
  }

  #pend(id: Uint8Array, tx: Uint8Array): PendingTx {
    const known = this.#pool.get(id);
    if (known !== null) this.#pool.keepFor(known, "client");
    const pending = known ?? this.#pool.add({ id, tx, origin: "client", isDurable: false });
    if (this.#letGo.has(toHex(id))) pending.hasWaitedBefore = true;
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
      this.#sweep();
    }
    for (const pending of [...this.#pool]) {
      this.#giveUp(pending, [...pending.waiters], "this node is shutting down");
    }
  }

  #fateOf(pending: PendingTx, signal: AbortSignal): Promise<TxFate> {
    const { waitForLeaderTimeoutMs, commitTimeoutMs } = this.#options;
    this.#tick();
    return new Promise((resolve) => {
      const onAbort = () => this.#giveUp(pending, [waiter], "the client went away");
      const waiter: Waiter = {
        leaderlessUntilMs: this.#leaderlessMs + waitForLeaderTimeoutMs,
        ledUntilMs: this.#ledMs + commitTimeoutMs,
        settle: (fate) => {
          signal.removeEventListener("abort", onAbort);
          pending.waiters.delete(waiter);
          this.#waiting.delete(waiter);
          resolve(fate);
        },
      };
      pending.waiters.add(waiter);
      this.#waiting.set(waiter, pending);
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      else this.#giveUpIfExhausted(pending, this.#leaderTerm());
    });
  }

  #sweep(): void {
    this.#tick();
    const { waitForLeaderTimeoutMs, commitTimeoutMs } = this.#options;
    for (const [waiter, pending] of this.#waiting) {
      if (waiter.leaderlessUntilMs <= this.#leaderlessMs) {
        const seconds = waitForLeaderTimeoutMs / 1000;
        this.#giveUp(pending, [waiter], `there was no leader for ${seconds} s`);
      } else if (waiter.ledUntilMs <= this.#ledMs) {
        this.#giveUp(pending, [waiter], `no block took it within ${commitTimeoutMs / 1000} s`);
      } else {
        // All wait equally long: whoever came later is due later.
        break;
      }
    }
    const leaderTerm = this.#leaderTerm();
    if (leaderTerm === null || leaderTerm === this.#exhaustedTerm) return;
    this.#exhaustedTerm = leaderTerm;
    for (const pending of [...this.#pool]) this.#giveUpIfExhausted(pending, leaderTerm);
  }

  /** Time with a leader and time without one are counted apart. */
  #tick(): void {
    const nowMs = performance.now();
    const elapsedMs = nowMs - this.#tickedMs;
    this.#tickedMs = nowMs;
    if (this.#leaderTerm() !== null) this.#ledMs += elapsedMs;
    else this.#leaderlessMs += elapsedMs;
  }

  /** Only a new leader changes this. */
  #giveUpIfExhausted(pending: PendingTx, leaderTerm: number | null): void {
    if (leaderTerm === null || !this.#pool.isExhausted(pending, leaderTerm)) return;
    const reason = `${pending.offers} leaders in a row were lost`;
    this.#giveUp(pending, [...pending.waiters], reason);
  }

  #rememberLetGo(id: Uint8Array): void {
    this.#letGo.add(toHex(id));
    const [oldest] = this.#letGo;
    if (oldest !== undefined && this.#letGo.size > letGoMax) this.#letGo.delete(oldest);
  }

  #giveUp(pending: PendingTx, waiters: readonly Waiter[], reason: string): void {
    const hasOtherKeepers = pending.origin !== "client" || pending.waiters.size > waiters.length;
    const staysHere = pending.isDurable || hasOtherKeepers;
    const mayCommit = staysHere || mayBeWithLeader(pending) || this.#isShared(pending.tx);
    for (const waiter of waiters) waiter.settle({ kind: "unavailable", reason, mayCommit });
    if (pending.isDurable || pending.waiters.size > 0) return;
    if (mayBeWithLeader(pending)) this.#rememberLetGo(pending.id);
    this.#pool.release(pending, "client");
  }
}

function mayBeWithLeader({ offers, isBeingOffered, hasWaitedBefore }: PendingTx): boolean {
  return offers > 0 || isBeingOffered || hasWaitedBefore;
}

/** Two equal transactions without a key are two transactions; a retry within the cluster is not. */
function freshId(): Uint8Array {
  return new Uint8Array(randomBytes(16));
}

/** The identity of what a client sends with an `Idempotency-Key`, on whichever node. */
export function idOfKey(key: string): Uint8Array {
  const text = new TextEncoder();
  return sha256(concatBytes([text.encode("idempotency-key:"), text.encode(key)]));
}
