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
    while (!signal.aborted) {
      this.#tell();
      await sleep(lookEveryMs, signal);
    }
  }

  #tell(): void {
    const { store, onDamaged } = this.#dependencies;
    for (const [height, reason] of store.damagedBlocks) {
      if (this.#told.has(height)) continue;
      this.#told.add(height);
      onDamaged(height, reason);
    }
  }

  async #repair(signal: AbortSignal): Promise<void> {
    const { store } = this.#dependencies;
    while (!signal.aborted) {
      const run = store.damagedRun();
      if (run === null) {
        await sleep(lookEveryMs, signal);
        continue;
      }
      // The repair may be over before the next look at what is damaged.
      this.#tell();
      const over = new AbortController();
      const either = AbortSignal.any([signal, over.signal]);
      const end = () => over.abort();
      await Promise.all([
        this.#fetchRun(run, either).finally(end),
        this.#untilForgotten(run, either).finally(end),
      ]);
    }
  }

  async #fetchRun(run: BlocksToFetch, signal: AbortSignal): Promise<void> {
    let below: FetchedAgain | null = null;
    try {
      for await (const block of this.#dependencies.fetch(run, signal)) {
        // The state after a block is in the header above it.
        if (below !== null) await this.#restore(below, block.header.header.appHash);
        below = block;
      }
      if (below !== null) await this.#restore(below, run.target.appHash);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** What has been pruned meanwhile need not be fetched; nor may any peer have it still. */
  async #untilForgotten({ parent, target }: BlocksToFetch, signal: AbortSignal): Promise<void> {
    const { damagedBlocks } = this.#dependencies.store;
    const isInRun = (height: Height) => height > parent.height && height <= target.height;
    while (!signal.aborted && [...damagedBlocks.keys()].some(isInRun)) {
      await sleep(lookEveryMs, signal);
    }
  }

  async #restore(block: FetchedAgain, appHash: Uint8Array): Promise<void> {
    const { store, onRepaired } = this.#dependencies;
    await store.restore(block, appHash);
    this.#told.delete(block.height);
    onRepaired(block.height);
  }
}
