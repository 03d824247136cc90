/** At most one event per key and interval, with a count of those held back. */

/** Keys remembered; beyond it the least recently passed is forgotten, and its next event passes. */
export const rateLimitKeysMax = 1024;

interface Window {
  readonly passedAtMs: number;
  suppressed: number;
}

export class RateLimit {
  readonly #nowMs: () => number;
  /** In order of passing: a key that passes moves to the end. */
  readonly #windows = new Map<string, Window>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** How many events of this key were held back before this one; null if this one is held back, too. */
  pass(key: string, intervalMs: number): number | null {
    const nowMs = this.#nowMs();
    const window = this.#windows.get(key);
    // A wall clock may step back; then the interval starts anew rather than lasting for ever.
    const elapsedMs = window === undefined ? intervalMs : nowMs - window.passedAtMs;
    if (window !== undefined && elapsedMs >= 0 && elapsedMs < intervalMs) {
      window.suppressed++;
      return null;
    }
    this.#windows.delete(key);
    this.#windows.set(key, { passedAtMs: nowMs, suppressed: 0 });
    if (this.#windows.size > rateLimitKeysMax) this.#forgetOldest();
    return window?.suppressed ?? 0;
  }

  #forgetOldest(): void {
    for (const key of this.#windows.keys()) {
      this.#windows.delete(key);
      return;
    }
  }
}
