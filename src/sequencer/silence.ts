/**
 * For how long the execution client has left a call unanswered. Counted in looks, and not by the clock: a process that
 * was itself stopped or busy has not listened, and that is not the client's fault (P13).
 */
export class Silence {
  readonly #lookEveryMs: number;
  #call: number | null = null;
  #looks = 0;

  constructor(lookEveryMs: number) {
    this.#lookEveryMs = lookEveryMs;
  }

  get ms(): number {
    return this.#looks * this.#lookEveryMs;
  }

  /** To be called every `lookEveryMs` with the oldest call under way, null if there is none. */
  look(oldestCall: number | null): void {
    this.#looks = oldestCall !== null && oldestCall === this.#call ? this.#looks + 1 : 0;
    this.#call = oldestCall;
  }
}
