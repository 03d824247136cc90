/**
 * Whether a peer knows calls between our own nodes. A Go node does not: it writes an error into its log and
 * closes the connection. So one that has hung up on a call, and never answered any, is not asked again for
 * a while, or until it connects anew and may be another program. The first time it may have died at that very
 * moment; the second time it is no ev-sequencer.
 */

/** An operator may have replaced the program, and nothing but a call tells. */
const askAgainAfterMs = 60_000;

export class ExtensionSupport {
  #hasAnswered = false;
  #hangUps = 0;
  #notBeforeMs = 0;

  /** It is alive, and does not know such calls. */
  get isForeign(): boolean {
    return this.#hangUps > 1;
  }

  /** By a clock that only runs forward, as all moments here. */
  mayAsk(nowMs: number): boolean {
    return nowMs >= this.#notBeforeMs;
  }

  answered(): void {
    this.#hasAnswered = true;
    this.#hangUps = 0;
  }

  /** One that has answered before has only died. */
  hungUp(nowMs: number): void {
    // Calls that wait together end together: that is one time.
    if (this.#hasAnswered || !this.mayAsk(nowMs)) return;
    this.#hangUps++;
    this.#notBeforeMs = nowMs + askAgainAfterMs;
  }

  /** A connection from the peer has named itself. */
  connected(): void {
    this.#notBeforeMs = 0;
  }
}
