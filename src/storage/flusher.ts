/** Writes that wait for a common transaction: at once when somebody waits for the disk, soon otherwise. */

/**
 * Calls `commit`, one at a time, until everything that was there when it was asked is durable. Many
 * requests share one commit. The first failure is final.
 */
export class Flusher {
  readonly #commit: () => Promise<void>;
  readonly #delayMs: number;
  #waiters: PromiseWithResolvers<void>[] = [];
  #timer: NodeJS.Timeout | null = null;
  #isRunning = false;
  #failure: unknown = null;

  /** `commit` writes all that is waiting when it begins; it rejects if they are not durable. */
  constructor(commit: () => Promise<void>, delayMs: number) {
    this.#commit = commit;
    this.#delayMs = delayMs;
  }

  get hasFailed(): boolean {
    return this.#failure !== null;
  }

  /** Throws what an earlier commit failed with. */
  check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** What is waiting will be written within the delay, unless `now` comes first. */
  soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      // Nobody waits for this one; a failure is told to whoever comes next.
      this.now().catch(() => {});
    }, this.#delayMs);
  }

  /** Resolves once everything that is waiting now is durable. */
  now(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const waiter = Promise.withResolvers<void>();
    this.#waiters.push(waiter);
    if (!this.#isRunning) {
      this.#isRunning = true;
      void this.#run();
    }
    return waiter.promise;
  }

  async #run(): Promise<void> {
    while (this.#waiters.length > 0) {
      const waiters = this.#waiters;
      this.#waiters = [];
      try {
        if (this.#failure !== null) throw this.#failure;
        await this.#commit();
      } catch (error) {
        this.#failure = error;
        for (const waiter of waiters) waiter.reject(error);
        continue;
      }
      for (const waiter of waiters) waiter.resolve();
    }
    this.#isRunning = false;
  }
}
