/**
 * For how long another thread has been silent that speaks all the time. Counted in looks, and not by the clock: a
 * thread that was itself stopped or busy has not listened. After each look what has come in meanwhile is taken in,
 * so a look counts against the other only if it said nothing until the next.
 */
export class Pulse {
  readonly #lookEveryMs: number;
  readonly #onLook: () => void;
  #silentLooks = 0;
  #looking: NodeJS.Timeout | null = null;

  /** `onLook` is called with each look, for whoever has to act on the silence. */
  constructor(lookEveryMs: number, onLook: () => void = () => {}) {
    this.#lookEveryMs = lookEveryMs;
    this.#onLook = onLook;
  }

  /** 0 before the start and after the stop. */
  get silentMs(): number {
    return this.#silentLooks * this.#lookEveryMs;
  }

  start(): void {
    this.#looking ??= setInterval(() => this.#look(), this.#lookEveryMs).unref();
  }

  /** The other has said something. */
  beat(): void {
    this.#silentLooks = 0;
  }

  stop(): void {
    if (this.#looking !== null) clearInterval(this.#looking);
    this.#silentLooks = 0;
  }

  #look(): void {
    this.#silentLooks++;
    this.#onLook();
  }
}
