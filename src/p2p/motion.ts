/** Whether an answer still comes: what a deadline, and a peer with nothing to do, go by. */

import {
  answerMinMs,
  answerTimeoutMs,
  progressBytes,
  servedMinBytesPerSecond,
  writeTimeoutMs,
} from "./limits.ts";

/** Told of each part of an answer as it comes. */
export type OnReceived = (sizeBytes: number) => void;

/**
 * A deadline that progress puts off: `signal` aborts when fewer than `progressBytes` have come within `timeoutMs`. So a
 * slow peer may take its time, and one that sends a byte now and then may not.
 */
export class ProgressDeadline {
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #receivedBytes = 0;

  constructor(timeoutMs = answerTimeoutMs) {
    const reason = `timeout: fewer than ${progressBytes} bytes came within ${timeoutMs} ms`;
    this.#timer = setTimeout(() => this.#abort.abort(new Error(reason)), timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  received(sizeBytes: number): void {
    this.#receivedBytes += sizeBytes;
    if (this.#receivedBytes < progressBytes) return;
    this.#receivedBytes = 0;
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

/** Of who reads an answer of ours: a peer that reads slowly, but does, may not hold its place for ever either. */
export class ReaderAllowance {
  readonly #nowMs: () => number;
  readonly #begunAtMs: number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#begunAtMs = nowMs();
  }

  /** For the next piece of an answer that has `answerBytes` so far, in whole milliseconds; 0 once it has taken too long. */
  leftMs(answerBytes: number): number {
    const lastsMs = answerMinMs + (answerBytes / servedMinBytesPerSecond) * 1_000;
    const leftMs = this.#begunAtMs + lastsMs - this.#nowMs();
    return Math.ceil(Math.max(0, Math.min(writeTimeoutMs, leftMs)));
  }
}

/** While nothing has come of a range for so long, a peer with nothing to do is asked for it as well. */
export const stealAfterMs = 1_500;

/** What counts as something: one byte now and then does not. */
const movedBytes = 4 * 1024;

/** How many times slower than usual an answer may come. Where a slow link is shared, all are alike slow. */
const slownessMax = 16;

/** Of an answer, before any has come to an end: else the first peer of all could take its time while others are idle. */
const expectedBytesPerSecond = 512 * 1024;

/** How fast answers come usually, whoever sends them; in bytes a second. */
export class Pace {
  #bytesPerSecond = 0;

  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }

  note(sizeBytes: number, elapsedMs: number): void {
    const bytesPerSecond = (sizeBytes / Math.max(1, elapsedMs)) * 1_000;
    const known = this.#bytesPerSecond;
    this.#bytesPerSecond = known === 0 ? bytesPerSecond : known + (bytesPerSecond - known) / 4;
  }
}

/** How one answer comes in. */
export class Motion {
  readonly #nowMs: () => number;
  #askedAtMs: number;
  #movedAtMs: number;
  #receivedBytes = 0;
  #uncountedBytes = 0;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#askedAtMs = nowMs();
    this.#movedAtMs = this.#askedAtMs;
  }

  /** Another request, perhaps of another peer. */
  asked(): void {
    this.#askedAtMs = this.#nowMs();
    this.#movedAtMs = this.#askedAtMs;
    this.#receivedBytes = 0;
    this.#uncountedBytes = 0;
  }

  received(sizeBytes: number): void {
    this.#receivedBytes += sizeBytes;
    this.#uncountedBytes += sizeBytes;
    if (this.#uncountedBytes < movedBytes) return;
    this.#uncountedBytes = 0;
    this.#movedAtMs = this.#nowMs();
  }

  get elapsedMs(): number {
    return this.#nowMs() - this.#askedAtMs;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Nothing has come for a while, or far less than `pace` lets expect. */
  isStuck({ bytesPerSecond }: Pace): boolean {
    const { elapsedMs } = this;
    if (elapsedMs < stealAfterMs) return false;
    if (this.#nowMs() - this.#movedAtMs >= stealAfterMs) return true;
    const usualBytesPerSecond = bytesPerSecond === 0 ? expectedBytesPerSecond : bytesPerSecond;
    return this.#receivedBytes * 1_000 * slownessMax < usualBytesPerSecond * elapsedMs;
  }
}
