/** Which committed blocks the client is told to be its head, safe and finalized. */

import type { Forkchoice } from "./engine-api.ts";

export interface ForkchoiceLags {
  /** The safe block is this many below the head, the finalized one that many. */
  readonly safeLag: number;
  readonly finalizedLag: number;
}

export interface NamedBlock {
  readonly height: number;
  readonly hash: string;
}

export class ForkchoiceRule {
  readonly #lags: ForkchoiceLags;
  /** Hashes of the newest blocks; older ones are asked for. */
  readonly #hashes = new Map<number, string>();
  /** The genesis is. */
  #finalHeight = 0;

  constructor(lags: ForkchoiceLags) {
    this.#lags = lags;
  }

  /** Blocks up to `height` are final, whatever the lag says. */
  setFinal(height: number): void {
    this.#finalHeight = Math.max(this.#finalHeight, height);
  }

  /** Forgets the hashes: the client may have other blocks now. */
  reset(): void {
    this.#hashes.clear();
  }

  async forHead(
    head: NamedBlock,
    hashAt: (height: number) => Promise<string>,
  ): Promise<Forkchoice> {
    this.#remember(head);
    const { safeLag, finalizedLag } = this.#lags;
    const finalized = Math.max(
      head.height - finalizedLag,
      Math.min(this.#finalHeight, head.height),
    );
    // A finalized block is safe, whatever the lags are.
    const safe = Math.max(head.height - safeLag, finalized);
    return {
      headBlockHash: head.hash,
      safeBlockHash: await this.#hashOf(safe, hashAt),
      finalizedBlockHash: await this.#hashOf(finalized, hashAt),
    };
  }

  async #hashOf(height: number, hashAt: (height: number) => Promise<string>): Promise<string> {
    const known = this.#hashes.get(height);
    if (known !== undefined) return known;
    const hash = await hashAt(height);
    this.#hashes.set(height, hash);
    return hash;
  }

  #remember({ height, hash }: NamedBlock): void {
    this.#hashes.set(height, hash);
    const oldest = height - this.#lags.finalizedLag;
    for (const old of this.#hashes.keys()) if (old < oldest) this.#hashes.delete(old);
  }
}
