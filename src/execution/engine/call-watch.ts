/** Calls to the execution client: how long each took, and the oldest that has no answer yet. */

export interface FinishedCall {
  readonly method: string;
  readonly seconds: number;
  /** Without a result: no answer, a malformed one, or the client's refusal. */
  readonly hasFailed: boolean;
}

export class CallWatch {
  readonly #finished: (call: FinishedCall) => void;
  /** In the order in which they began. */
  readonly #underWay = new Set<number>();
  #lastNumber = 0;

  constructor(finished: (call: FinishedCall) => void) {
    this.#finished = finished;
  }

  /** A number of its own; null if no call is under way. */
  get oldest(): number | null {
    for (const number of this.#underWay) return number;
    return null;
  }

  async during<T>(method: string, call: () => Promise<T>): Promise<T> {
    const number = ++this.#lastNumber;
    const beganMs = performance.now();
    const finish = (hasFailed: boolean) => {
      this.#underWay.delete(number);
      this.#finished({ method, seconds: (performance.now() - beganMs) / 1000, hasFailed });
    };
    this.#underWay.add(number);
    try {
      const result = await call();
      finish(false);
      return result;
    } catch (error) {
      finish(true);
      throw error;
    }
  }
}
