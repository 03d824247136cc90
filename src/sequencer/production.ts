/** The producer of each term that this node leads: one at a time, the next only once the last has ended. */

import type { TaskGroup } from "../base/task-group.ts";
import { type ProducerDependencies, type ProducerOptions, produceBlocks } from "./producer.ts";

export class Production {
  readonly #options: ProducerOptions;
  readonly #dependencies: ProducerDependencies;
  readonly #tasks: TaskGroup;
  #abort: AbortController | null = null;
  #done: Promise<void> = Promise.resolve();

  /** Producers are tasks of `tasks`, which hears of their failures. */
  constructor(options: ProducerOptions, dependencies: ProducerDependencies, tasks: TaskGroup) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#tasks = tasks;
  }

  begin(term: number): void {
    this.end();
    const abort = new AbortController();
    const before = this.#done;
    this.#abort = abort;
    this.#done = new Promise<void>((resolve) => {
      this.#tasks.spawn("producer", async () => {
        try {
          await before;
          await produceBlocks(term, this.#options, this.#dependencies, abort.signal);
        } finally {
          resolve();
        }
      });
    });
  }

  /** What is being built is not offered any more. */
  end(): void {
    this.#abort?.abort();
    this.#abort = null;
  }

  /** Resolves once no block is being built; never rejects. */
  get done(): Promise<void> {
    return this.#done;
  }
}
