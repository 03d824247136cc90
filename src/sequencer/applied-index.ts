/** How far the log is applied, and who waits for it to be applied farther. */

export class AppliedIndex {
  #reached = 0;
  readonly #waiting = new Set<{ readonly index: number; readonly finish: () => void }>();

  /** 0 until the executor has all that is stored: nothing is applied before it is executed. */
  get reached(): number {
    return this.#reached;
  }

  advance(index: number): void {
    this.#reached = index;
    for (const waiting of [...this.#waiting]) if (waiting.index <= index) waiting.finish();
  }

  /** Resolves once everything up to `index` is applied, or `signal` aborts. */
  whenReached(index: number, signal: AbortSignal): Promise<void> {
    if (this.#reached >= index || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = () => {
        signal.removeEventListener("abort", finish);
        this.#waiting.delete(waiting);
        resolve();
      };
      const waiting = { index, finish };
      signal.addEventListener("abort", finish, { once: true });
      this.#waiting.add(waiting);
    });
  }
}
