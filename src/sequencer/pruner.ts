/**
 * Removes old blocks (`pruning.*`), a slice at a time, so that no block waits long for the disk.
 *
 *   earliest ........................ | kept by number | needed by the log |  head
 *   goes, as far as it is executed ... | whichever of these two begins earlier
 *
 * A member that lags takes entries from the log, or a snapshot that the log continues and then the
 * blocks up to it. So the blocks of all entries in the log stay, and the one before them, which the
 * snapshot may end in. A restart runs the blocks that the executor has not on its disk: they stay too.
 */

import { sleep, TaskGroup } from "../base/task-group.ts";
import type { BlockReader, Height } from "../block/types.ts";

export interface PrunerOptions {
  /** Blocks that stay, the head among them; at least one. */
  readonly keepRecent: number;
  readonly intervalMs: number;
}

export interface PrunedBlocks {
  readonly removed: number;
  readonly earliest: Height;
  readonly latest: Height;
}

export interface PrunerDependencies {
  readonly store: BlockReader & {
    /** Removes some of the blocks up to `through`, and resolves to how many; 0 if there are none. */
    prune(through: Height): Promise<number>;
  };
  /** The height up to which the executor would not lose its state in a crash. */
  readonly executedHeight: () => Promise<Height>;
  /** The log's first entry; null if it is not known now. */
  readonly firstLogIndex: () => Promise<number | null>;
  readonly onPruned: (pruned: PrunedBlocks) => void;
  readonly onFailure: (name: string, error: unknown) => void;
}

export class Pruner {
  readonly #options: PrunerOptions;
  readonly #dependencies: PrunerDependencies;
  readonly #tasks: TaskGroup;

  constructor(options: PrunerOptions, dependencies: PrunerDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#tasks = new TaskGroup(dependencies.onFailure);
  }

  start(): void {
    this.#tasks.spawn("pruning", (signal) => this.#run(signal));
  }

  /** Waits for the slice under way. May be called twice. */
  stop(): Promise<void> {
    return this.#tasks.stop();
  }

  /** At once, too: a node that is restarted often must not keep everything for that. */
  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#prune(signal);
      await sleep(this.#options.intervalMs, signal);
    }
  }

  async #prune(signal: AbortSignal): Promise<void> {
    const { store, onPruned } = this.#dependencies;
    const through = await this.#removableThrough();
    let removed = 0;
    while (!signal.aborted) {
      const beganMs = performance.now();
      const count = await store.prune(through);
      if (count === 0) break;
      removed += count;
      // Half of the time the disk is free of this work, however much of it there is.
      await sleep(performance.now() - beganMs, signal);
    }
    const { earliestHeight: earliest } = store;
    if (removed > 0 && earliest !== null) {
      onPruned({ removed, earliest, latest: store.head.height });
    }
  }

  async #removableThrough(): Promise<Height> {
    const { store, executedHeight, firstLogIndex } = this.#dependencies;
    const executed = await executedHeight();
    const firstIndex = await firstLogIndex();
    if (firstIndex === null) return 0;
    const { height, raftIndex } = store.head;
    // No entry is more than one block, so these are at least the blocks of the entries up to the head.
    const entries = Math.max(0, raftIndex - firstIndex + 1);
    const kept = Math.max(this.#options.keepRecent, entries + 1);
    // The block at the executor's own height says whether the two agree.
    return Math.min(height - kept, executed - 1);
  }
}
