/** Long-running tasks with one end: the first failure stops all, and `stop` waits for what was begun. */

export type Task = (signal: AbortSignal) => Promise<void>;

/** The longest that a timer waits; a longer one would end after a millisecond. */
const timerMaxMs = 2 ** 31 - 1;

/** Resolves after `delayMs`, or at once when `signal` aborts; never rejects. */
export function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    let timer: ReturnType<typeof setTimeout>;
    let leftMs = delayMs;
    const wait = () => {
      const stepMs = Math.min(leftMs, timerMaxMs);
      leftMs -= stepMs;
      timer = setTimeout(leftMs > 0 ? wait : finish, stepMs);
    };
    wait();
    signal?.addEventListener("abort", finish, { once: true });
  });
}

export class TaskGroup {
  readonly #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #onFailure: (name: string, error: unknown) => void;

  /** `onFailure` hears of the first task that throws; the group is already stopping then. */
  constructor(onFailure: (name: string, error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  spawn(name: string, task: Task): void {
    const running = task(this.#abort.signal)
      .catch((error: unknown) => {
        if (this.#abort.signal.aborted) return;
        this.#abort.abort();
        this.#onFailure(name, error);
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Tells every task to end and waits until it has. May be called twice. */
  async stop(): Promise<void> {
    this.#abort.abort();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
