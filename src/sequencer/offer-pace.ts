/**
 * How much is offered at once, and how long an answer may take. A slow link is found out by the answers: after one that
 * did not come half as much is offered, with twice the time, since a single transaction cannot be halved; after a quick
 * one more again. Small offers also leave room for other calls, which wait behind them.
 */

const batchMaxBytes = 1024 * 1024;
const batchMinBytes = 16 * 1024;

/** As much time is given once for every so many bytes, on the scale of Raft's own calls. */
const scaleBytes = 256 * 1024;

/** No answer is waited for longer, and no less than the size alone asks for. */
const patienceMaxMs = 60_000;

export class OfferPace {
  readonly #answerTimeoutMs: number;
  #maxBytes = batchMaxBytes;
  /** So many times the time that the size asks for. */
  #patience = 1;

  constructor(answerTimeoutMs: number) {
    this.#answerTimeoutMs = answerTimeoutMs;
  }

  /** Of the transactions in one offer; one that is larger goes alone. */
  get maxBytes(): number {
    return this.#maxBytes;
  }

  timeoutMs(sizeBytes: number): number {
    const scaledMs = this.#answerTimeoutMs * Math.max(1, sizeBytes / scaleBytes);
    return Math.max(scaledMs, Math.min(patienceMaxMs, scaledMs * this.#patience));
  }

  answered(elapsedMs: number): void {
    this.#patience = Math.max(1, this.#patience / 2);
    if (elapsedMs > this.#answerTimeoutMs) this.#halve();
    else if (elapsedMs < this.#answerTimeoutMs / 4) {
      this.#maxBytes = Math.min(batchMaxBytes, this.#maxBytes * 2);
    }
  }

  unanswered(): void {
    // Beyond that it would only take the longer to come down.
    this.#patience = Math.min(this.#patience * 2, patienceMaxMs / this.#answerTimeoutMs);
    this.#halve();
  }

  /** Another leader: of the link to it nothing is known. */
  reset(): void {
    this.#patience = 1;
    this.#maxBytes = batchMaxBytes;
  }

  #halve(): void {
    this.#maxBytes = Math.max(batchMinBytes, this.#maxBytes / 2);
  }
}
