/**
 * One outbound connection, as the transport keeps them: calls go out in order and are answered in
 * order; when it ends, or an answer is overdue, every open call has failed, whatever the peer did.
 */

import type { Dice } from "./dice.ts";
import type { Lane } from "./lane.ts";
import type { Schedule } from "./schedule.ts";

export interface Call<Request, Answer> {
  readonly request: Request;
  readonly sentMs: number;
  readonly timeoutMs: number;
  answer: Answer | null;
  /** Answered or failed, in the caller's eyes. */
  isOver: boolean;
}

export interface CallLimits {
  readonly sizeBytes: number;
  /** For its answer, from when it is the oldest that waits. */
  readonly timeoutMs: number;
}

export interface ConnectionOptions {
  readonly isOrdered: boolean;
  readonly duplicateRate: () => number;
}

export interface ConnectionObserver<Request, Answer> {
  /** The request has reached the other machine. */
  arrived(call: Call<Request, Answer>): void;
  /** It has done so a second time. */
  duplicated(call: Call<Request, Answer>): void;
  answered(call: Call<Request, Answer>, answer: Answer): void;
  failed(call: Call<Request, Answer>): void;
  /** The connection has ended, for whatever reason; `undelivered` would still have reached the peer. */
  ended(undelivered: (() => void)[]): void;
}

export class Connection<Request, Answer> {
  readonly #options: ConnectionOptions;
  readonly #observer: ConnectionObserver<Request, Answer>;
  readonly #schedule: Schedule;
  readonly #dice: Dice;
  readonly #there: Lane;
  readonly #back: Lane;
  /** Sent and neither answered nor failed, oldest first. */
  #calls: Call<Request, Answer>[] = [];
  /** Received by the peer and not answered, oldest first. */
  #served: Call<Request, Answer>[] = [];
  #headSinceMs = 0;
  #hasDeadline = false;
  #hasEnded = false;
  /** The peer has answered on it. */
  isProven = false;

  constructor(
    options: ConnectionOptions,
    observer: ConnectionObserver<Request, Answer>,
    { schedule, dice }: { readonly schedule: Schedule; readonly dice: Dice },
    lanes: { readonly there: Lane; readonly back: Lane },
  ) {
    this.#options = options;
    this.#observer = observer;
    this.#schedule = schedule;
    this.#dice = dice;
    this.#there = lanes.there;
    this.#back = lanes.back;
  }

  call(request: Request, { sizeBytes, timeoutMs }: CallLimits): void {
    const sentMs = this.#schedule.nowMs;
    const call: Call<Request, Answer> = { request, sentMs, timeoutMs, answer: null, isOver: false };
    if (this.#calls.length === 0) this.#headSinceMs = sentMs;
    this.#calls.push(call);
    this.#armDeadline(timeoutMs);
    const arrive = () => {
      if (this.#options.isOrdered) this.#served.push(call);
      this.#observer.arrived(call);
    };
    this.#there.push(sizeBytes, arrive, () => this.#lost());
    const duplicateRate = this.#options.duplicateRate();
    if (duplicateRate > 0 && this.#dice.chance(duplicateRate)) {
      this.#there.push(
        sizeBytes,
        () => this.#observer.duplicated(call),
        () => {},
      );
    }
  }

  /** The peer's answer to `call`; it goes out after the answers to all calls before. */
  answer(call: Call<Request, Answer>, answer: Answer): void {
    if (this.#hasEnded || call.answer !== null) return;
    call.answer = answer;
    if (!this.#options.isOrdered) return this.#sendBack(call, answer);
    for (;;) {
      const [head] = this.#served;
      if (head === undefined || head.answer === null) return;
      this.#served.shift();
      this.#sendBack(head, head.answer);
    }
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const undelivered = this.#there.close();
    this.#back.close();
    for (const call of this.#calls.splice(0)) this.#fail(call);
    this.#observer.ended(undelivered);
  }

  #sendBack(call: Call<Request, Answer>, answer: Answer): void {
    this.#back.push(
      100,
      () => {
        if (call.isOver) return;
        call.isOver = true;
        this.#calls = this.#calls.filter((open) => open !== call);
        this.#headSinceMs = this.#schedule.nowMs;
        this.isProven = true;
        this.#observer.answered(call, answer);
      },
      () => this.#lost(),
    );
  }

  /** TCP loses nothing but the connection; elsewhere only the deadline tells. */
  #lost(): void {
    if (this.#options.isOrdered) this.end();
  }

  #fail(call: Call<Request, Answer>): void {
    if (call.isOver) return;
    call.isOver = true;
    this.#observer.failed(call);
  }

  #armDeadline(delayMs: number): void {
    if (this.#hasDeadline) return;
    this.#hasDeadline = true;
    this.#schedule.after(delayMs, () => {
      this.#hasDeadline = false;
      if (this.#hasEnded) return;
      const nowMs = this.#schedule.nowMs;
      if (!this.#options.isOrdered) {
        const overdue = this.#calls.filter((call) => nowMs - call.sentMs >= call.timeoutMs);
        this.#calls = this.#calls.filter((call) => !overdue.includes(call));
        for (const call of overdue) this.#fail(call);
      }
      const [head] = this.#calls;
      if (head === undefined) return;
      const sinceMs = this.#options.isOrdered
        ? Math.max(head.sentMs, this.#headSinceMs)
        : head.sentMs;
      const leftMs = sinceMs + head.timeoutMs - nowMs;
      if (leftMs > 0) this.#armDeadline(leftMs);
      else this.end();
    });
  }
}
