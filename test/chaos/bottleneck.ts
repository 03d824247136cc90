/**
 * The narrow place of a way: packets pass it one after the other, whichever connection they belong to, each in the
 * time that its bytes take. What comes while it is busy waits behind what came before.
 */

export class Bottleneck {
  readonly #waiting: {
    readonly bytes: number;
    readonly cameMs: number;
    readonly pass: () => void;
  }[] = [];
  #bytesPerMs = Number.POSITIVE_INFINITY;
  /** The last packet has passed; the next one begins then, or when it comes. */
  #freeAtMs = 0;
  #timer: NodeJS.Timeout | null = null;

  get bytesPerMs(): number {
    return this.#bytesPerMs;
  }

  /** Holds for all that waits, too: once it is wide, that passes at once. */
  set bytesPerMs(bytesPerMs: number) {
    this.#bytesPerMs = bytesPerMs;
    this.#look();
  }

  /** Calls `pass` once the bytes have passed, at once where nothing is narrow. */
  carry(bytes: number, pass: () => void): void {
    this.#waiting.push({ bytes, cameMs: performance.now(), pass });
    if (this.#timer === null) this.#look();
  }

  #look(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (let head = this.#waiting[0]; head !== undefined; head = this.#waiting[0]) {
      const takesMs = head.bytes / this.#bytesPerMs;
      const dueMs = Math.max(this.#freeAtMs, head.cameMs) + takesMs;
      const waitMs = dueMs - performance.now();
      if (takesMs > 0 && waitMs > 0) {
        this.#timer = setTimeout(() => this.#look(), waitMs);
        return;
      }
      this.#freeAtMs = Math.max(this.#freeAtMs, dueMs);
      this.#waiting.shift();
      head.pass();
    }
  }
}
