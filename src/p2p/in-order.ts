/** Work that is done side by side, and handed over in order. */

export interface Side<Input, Result> {
  /** Results begun and not yet taken. */
  readonly ahead: number;
  readonly signal: AbortSignal;
  readonly run: (input: Input, signal: AbortSignal) => Promise<Result>;
}

/**
 * The results of `run` for each of `source`, in order. `source` is asked for one only when there is room
 * for its result: that is all the back-pressure there is. Whatever is under way when the consumer stops
 * is aborted, and waited for.
 */
export async function* inOrder<Input, Result>(
  source: Iterable<Input>,
  { ahead, signal, run }: Side<Input, Result>,
): AsyncGenerator<Result, void, undefined> {
  const stopped = new AbortController();
  const either = AbortSignal.any([signal, stopped.signal]);
  const inputs = source[Symbol.iterator]();
  const begun: Promise<Result>[] = [];
  const begin = () => {
    while (begun.length < ahead) {
      const next = inputs.next();
      if (next.done === true) return;
      const running = run(next.value, either);
      // Its failure is told when its turn comes; until then nobody listens.
      running.catch(() => {});
      begun.push(running);
    }
  };
  try {
    for (begin(); ; begin()) {
      const first = begun.shift();
      if (first === undefined) return;
      yield await first;
    }
  } finally {
    stopped.abort();
    await Promise.allSettled(begun);
  }
}
