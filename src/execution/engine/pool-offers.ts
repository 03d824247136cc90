/** Shows the client's own pool what waits here, so that it may choose from it. */

import type { BlockToBuild, IdentifiedTx } from "../executor.ts";
import type { MakerTools } from "./block-maker.ts";
import type { EthApi } from "./eth-api.ts";

/** A transaction that is still waiting after so many blocks may have fallen out of the client's pool. */
const offerAgainHeights = 8;

/**
 * For so long transactions are offered before a block is due, and after, at most: in parts of the time between blocks. However
 * many have come together while no block did, the rest are for the next one: a new leader that offered them all first would build
 * nothing until it is none any more. And while they are offered no block of another leader is executed.
 */
const beforeDueMaxMs = 500;
const beforeDuePart = 1 / 2;
const whenDueMaxMs = 200;
const whenDuePart = 1 / 5;

export class PoolOffers {
  readonly #eth: EthApi;
  readonly #blockTimeMs: number;
  /** The height for which each was offered last: since then it is in the client's pool, as far as we know. */
  #offeredFor = new WeakMap<IdentifiedTx, number>();

  constructor({ eth, blockTimeMs }: Pick<MakerTools, "eth" | "blockTimeMs">) {
    this.#eth = eth;
    this.#blockTimeMs = blockTimeMs;
  }

  /** What there is to offer while there is time. */
  async beforeDue(block: BlockToBuild): Promise<void> {
    await this.offer(block, Math.min(beforeDueMaxMs, beforeDuePart * this.#blockTimeMs));
  }

  /** What came at the last moment. */
  async whenDue(block: BlockToBuild): Promise<void> {
    await this.offer(block, Math.min(whenDueMaxMs, whenDuePart * this.#blockTimeMs));
  }

  /**
   * Offers for `forMs` what the client may not have. First what it has never been shown: however many wait that no block
   * can take, they hold up none that came after them.
   */
  async offer(block: BlockToBuild, forMs: number): Promise<void> {
    const untilMs = performance.now() + forMs;
    const { height, waiting } = block;
    const isOffered = (tx: IdentifiedTx) => this.#offeredFor.has(tx);
    await this.#offer(waiting(isOffered), height, forMs);
    const leftMs = untilMs - performance.now();
    if (leftMs <= 0) return;
    const isHeld = (tx: IdentifiedTx) => {
      const offeredFor = this.#offeredFor.get(tx);
      return offeredFor === undefined || offeredFor + offerAgainHeights > height;
    };
    await this.#offer(waiting(isHeld), height, leftMs);
  }

  /** The client may have forgotten all of them. */
  reset(): void {
    this.#offeredFor = new WeakMap();
  }

  async #offer(waiting: readonly IdentifiedTx[], height: number, forMs: number): Promise<void> {
    const txs = waiting.map(({ tx }) => tx);
    const count = await this.#eth.offerTransactions(txs, forMs);
    for (const tx of waiting.slice(0, count)) this.#offeredFor.set(tx, height);
  }
}
