/**
 * Looks after transactions that nobody waits for any more. One whose nonce another has used, or that no block has taken
 * for its executor's lifetime, would stay for ever, and take the room of others.
 */

import { sleep } from "../base/task-group.ts";
import type { Executor } from "../execution/executor.ts";
import type { ChainStore } from "./ports.ts";
import type { PendingTx, TxPool } from "./tx-pool.ts";

export interface TxReviewDependencies {
  readonly pool: TxPool;
  readonly store: Pick<ChainStore, "dropTx">;
  readonly executor: Pick<Executor, "screenTx" | "txLifetimeMs">;
  /** One that this node had accepted from a client. */
  readonly onDropped: (txId: Uint8Array, reason: string) => void;
}

export class TxReview {
  readonly #everyMs: number;
  readonly #dependencies: TxReviewDependencies;

  constructor(everyMs: number, dependencies: TxReviewDependencies) {
    this.#everyMs = everyMs;
    this.#dependencies = dependencies;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { pool, executor } = this.#dependencies;
    // Every well-formed transaction of such an executor is taken by a block.
    if (executor.txLifetimeMs === null) return;
    while (!signal.aborted) {
      await sleep(this.#everyMs, signal);
      const oldEnoughMs = performance.now() - this.#everyMs;
      const waiting = [...pool].filter(
        ({ addedAtMs, waiters }) => addedAtMs < oldEnoughMs && waiters.size === 0,
      );
      for (const pending of waiting) {
        if (signal.aborted) return;
        await this.#review(pending, executor.txLifetimeMs);
      }
    }
  }

  async #review(pending: PendingTx, lifetimeMs: number): Promise<void> {
    const { pool, store, executor, onDropped } = this.#dependencies;
    const ageMs = performance.now() - pending.addedAtMs;
    const unfit = await executor.screenTx(pending.tx);
    const reason =
      unfit?.isFinal === true
        ? unfit.reason
        : ageMs < lifetimeMs
          ? null
          : `no block took it within ${Math.round(lifetimeMs / 60_000)} min`;
    // Meanwhile a block may have taken it, or a client begun to wait for it.
    const isStillThere = pool.get(pending.id) === pending && pending.waiters.size === 0;
    if (reason === null || !isStillThere) return;
    pool.remove(pending.id);
    if (pending.isDurable) store.dropTx(pending.id);
    if (pending.origin !== "peer") onDropped(pending.id, reason);
  }
}
