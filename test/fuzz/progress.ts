/** What the thread is at, for whoever must know when it does not answer any more. */

const headerWords = 4;
const inputMaxBytes = 64 * 1024;
const at = { steps: 0, task: 1, number: 2, length: 3 } as const;

export interface Progress {
  readonly shared: SharedArrayBuffer;
  readonly hasBegun: boolean;
  /** Grows with every input. */
  readonly steps: number;
  /** Which of the tasks. */
  readonly task: number;
  readonly number: number;
  readonly input: Uint8Array;
  begin(task: number, number: number, input: Uint8Array): void;
}

export function progressOf(
  shared: SharedArrayBuffer = new SharedArrayBuffer(headerWords * 4 + inputMaxBytes),
): Progress {
  const words = new Int32Array(shared, 0, headerWords);
  const bytes = new Uint8Array(shared, headerWords * 4);
  const word = (index: number) => Atomics.load(words, index);
  return {
    shared,
    get hasBegun() {
      return word(at.steps) > 0;
    },
    get steps() {
      return word(at.steps);
    },
    get task() {
      return word(at.task);
    },
    get number() {
      return word(at.number);
    },
    get input() {
      return bytes.slice(0, word(at.length));
    },
    begin(task, number, input) {
      bytes.set(input);
      Atomics.store(words, at.task, task);
      Atomics.store(words, at.number, number);
      Atomics.store(words, at.length, input.length);
      Atomics.add(words, at.steps, 1);
    },
  };
}
