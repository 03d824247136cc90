/**
 * Whether a peer knows calls between our own nodes. A Go node does not: it writes an error into its log and
 * closes the connection. So one that has hung up on a call, and never answered any, is not asked again for
 * a while, or until it connects anew and may be another program.
 */

/** An operator may have replaced the program, and nothing but a call tells. */
const askAgainAfterMs = 60_000;

export class ExtensionSupport {
  #hasAnswered = false;
  #notBeforeMs = 0;

  /** By a clock that only runs forward, as all moments here. */
  mayAsk(nowMs: number): boolean {
    return nowMs >= this.#notBeforeMs;
  }

  answered(): void {
    this.#hasAnswered = true;
  }

  /** One that has answered before has only died. */
  hungUp(nowMs: number): void {
    if (!this.#hasAnswered) this.#notBeforeMs = nowMs + askAgainAfterMs;
  }

  /** A connection from the peer has named itself. */
  connected(): void {
    this.#notBeforeMs = 0;
  }
}
