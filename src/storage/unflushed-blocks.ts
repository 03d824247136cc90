/** Blocks that readers see and the disk does not have yet. */

import { toHex } from "../base/bytes.ts";
import type { Height, StoredBlock } from "../block/types.ts";

/** They are the last ones of the chain, without a gap; the lowest go first. */
export class UnflushedBlocks {
  readonly #byHeight = new Map<Height, StoredBlock>();
  readonly #heightsByHash = new Map<string, Height>();

  get count(): number {
    return this.#byHeight.size;
  }

  add(block: StoredBlock): void {
    this.#byHeight.set(block.height, block);
    this.#heightsByHash.set(toHex(block.hash), block.height);
  }

  at(height: Height): StoredBlock | null {
    return this.#byHeight.get(height) ?? null;
  }

  heightOf(hash: Uint8Array): Height | null {
    return this.#heightsByHash.get(toHex(hash)) ?? null;
  }

  /** All of them now, by ascending height: what a transaction that begins now will write. */
  list(): readonly StoredBlock[] {
    return [...this.#byHeight.values()];
  }

  remove({ height, hash }: StoredBlock): void {
    this.#byHeight.delete(height);
    this.#heightsByHash.delete(toHex(hash));
  }
}
