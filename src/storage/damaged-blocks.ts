/** Stored blocks that can no longer be read, and between which intact ones they lie. */

import { describeError } from "../base/coded-error.ts";
import { BlockError } from "../block/errors.ts";
import type { ChainHead, Height, StoredBlock } from "../block/types.ts";
import { headOf } from "./chain-head.ts";
import { StorageError } from "./errors.ts";

/** Blocks in a row, as somebody who fetches them again must know them. */
export interface DamagedRun {
  /** The block below the first of them. */
  readonly parent: Pick<ChainHead, "height" | "hash" | "dataHash">;
  /** The last of them, with the state after it. */
  readonly target: Pick<ChainHead, "height" | "hash" | "appHash">;
}

export interface StoredChain {
  readonly earliest: Height;
  readonly head: ChainHead;
  /** What the first block of all builds on. */
  readonly genesis: ChainHead;
  /** Throws for a damaged block. */
  readonly read: (height: Height) => StoredBlock;
}

export class DamagedBlocks {
  readonly #reasons = new Map<Height, string>();

  /** Found and not yet repaired, each with what is wrong. */
  get found(): ReadonlyMap<Height, string> {
    return this.#reasons;
  }

  /** What `read` returns; a damaged block is remembered, and thrown as BLOCK_DAMAGED. */
  guard<T>(height: Height, read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== "STORAGE_CORRUPT") throw error;
      this.#reasons.set(height, describeError(error));
      throw damaged(height, error);
    }
  }

  /** Intact again, or gone. */
  forget(height: Height): void {
    this.#reasons.delete(height);
  }

  /**
   * The lowest damaged blocks that can be linked to an intact one below; null without any. The lowest block
   * of a pruned chain has none: it goes with the next pruning.
   */
  lowestRun(chain: StoredChain): DamagedRun | null {
    for (const damaged of [...this.#reasons.keys()].sort((a, b) => a - b)) {
      let first = damaged;
      while (first > chain.earliest && this.#isDamaged(first - 1, chain)) first--;
      const parent = this.#parentOf(first, chain);
      if (parent !== null) return { parent, target: this.#lastFrom(damaged, chain) };
    }
    return null;
  }

  #parentOf(first: Height, { earliest, genesis, read }: StoredChain): ChainHead | null {
    if (first > earliest) return headOf(read(first - 1));
    return first === genesis.height + 1 ? genesis : null;
  }

  #lastFrom(damaged: Height, chain: StoredChain): DamagedRun["target"] {
    let last = damaged;
    while (last < chain.head.height && this.#isDamaged(last + 1, chain)) last++;
    if (last === chain.head.height) return chain.head;
    const { lastHeaderHash, appHash } = chain.read(last + 1).header.header;
    return { height: last, hash: lastHeaderHash, appHash };
  }

  #isDamaged(height: Height, { read }: StoredChain): boolean {
    try {
      this.guard(height, () => read(height));
      return false;
    } catch (error) {
      if (error instanceof BlockError && error.code === "BLOCK_DAMAGED") return true;
      throw error;
    }
  }
}

function damaged(height: Height, cause: StorageError): BlockError {
  return new BlockError(
    { code: "BLOCK_DAMAGED", height },
    `Block ${height} is damaged on this node's disk, and will be fetched again from its peers. ` +
      "Ask another node meanwhile; if it happens again, replace the disk.",
    { cause },
  );
}
