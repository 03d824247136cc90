/**
 * Fetches damaged blocks again. What was in them is proven by their neighbours: the block above names
 * their hash, as the head does its own, and they build on the block below.
 *
 *   height    ... 6   7   8   9   10
 *   blocks        x   ?   ?   x   x      6 is the parent; 9 names the hash of 8, and 8 that of 7
 */

import { sleep, TaskGroup } from "../base/task-group.ts";
import type { ChainHead, Data, Height, SignedHeader } from "../block/types.ts";

/** Damaged blocks in a row. */
export interface BlocksToFetch {
  readonly parent: Pick<ChainHead, "height" | "hash" | "dataHash">;
  readonly target: Pick<ChainHead, "height" | "hash" | "appHash">;
}

export interface FetchedAgain {
  readonly height: Height;
  readonly hash: Uint8Array;
  readonly header: SignedHeader;
  readonly data: Data;
}

export interface RepairerDependencies {
  readonly store: {
    readonly damagedBlocks: ReadonlyMap<Height, string>;
    damagedRun(): BlocksToFetch | null;
    restore(block: FetchedAgain, appHash: Uint8Array): Promise<void>;
  };
  /** The blocks from above the parent to the target, upwards, each proven. Throws when `signal` aborts. */
  readonly fetch: (blocks: BlocksToFetch, signal: AbortSignal) => AsyncIterable<FetchedAgain>;
  readonly onDamaged: (height: Height, reason: string) => void;
  readonly onRepaired: (height: Height) => void;
  readonly onFailure: (name: string, error: unknown) => void;
}

/** Blocks are found damaged when somebody reads them; nobody waits for the repair. */
const lookEveryMs = 500;

export class Repairer {
  readonly #dependencies: RepairerDependencies;
  readonly #tasks: TaskGroup;
  readonly #told = new Set<Height>();

  constructor(dependencies: RepairerDependencies) {
    this.#dependencies = dependencies;
    this.#tasks = new TaskGroup(dependencies.onFailure);
  }

  start(): void {
    this.#tasks.spawn("damage", (signal) => this.#watch(signal));
    this.#tasks.spawn("repair", (signal) => this.#repair(signal));
  }

  /** Gives up what is being fetched. May be called twice. */
  stop(): Promise<void> {
    return this.#tasks.stop();
  }

  /** Apart from the repair, which may wait for peers as long as it takes. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { store, onDamaged } = this.#dependencies;
    while (!signal.aborted) {
      for (const [height, reason] of store.damagedBlocks) {
        if (this.#told.has(height)) continue;
        this.#told.add(height);
        onDamaged(height, reason);
      }
      await sleep(lookEveryMs, signal);
    }
  }

  async #repair(signal: AbortSignal): Promise<void> {
    const { store, fetch } = this.#dependencies;
    while (!signal.aborted) {
      const run = store.damagedRun();
      if (run === null) {
        await sleep(lookEveryMs, signal);
        continue;
      }
      let below: FetchedAgain | null = null;
      for await (const block of fetch(run, signal)) {
        // The state after a block is in the header above it.
        if (below !== null) await this.#restore(below, block.header.header.appHash);
        below = block;
      }
      if (below !== null) await this.#restore(below, run.target.appHash);
    }
  }

  async #restore(block: FetchedAgain, appHash: Uint8Array): Promise<void> {
    const { store, onRepaired } = this.#dependencies;
    await store.restore(block, appHash);
    this.#told.delete(block.height);
    onRepaired(block.height);
  }
}
