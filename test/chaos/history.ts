/** What clients saw of one register, and when, by one clock; judged once nobody uses it any more. */

import { contradiction, type Moment, type Operation } from "../simulation/linearizability.ts";

/** Milliseconds since this process began, by a clock that never steps back; no two are the same. */
export class Moments {
  #last: Moment = 0;

  next(): Moment {
    this.#last = Math.max(this.#last + stepMs, Math.ceil(performance.now() / stepMs) * stepMs);
    return this.#last;
  }
}

const stepMs = 1 / 1024;

export interface OpenWrite {
  readonly value: number;
  readonly beganAt: Moment;
  readonly who: string;
}

export interface OpenRead {
  readonly beganAt: Moment;
  readonly who: string;
  /** It may be of any time past. */
  readonly isStale: boolean;
}

export class History {
  readonly #moments: Moments;
  readonly #operations: Operation[] = [];
  readonly #openWrites = new Set<OpenWrite>();
  #lastValue = 0;

  constructor(moments: Moments) {
    this.#moments = moments;
  }

  get size(): number {
    return this.#operations.length + this.#openWrites.size;
  }

  /** Of a value that nobody writes but this one. To be called before anything is sent. */
  writeBegins(who: string): OpenWrite {
    this.#lastValue += 1;
    const write = { value: this.#lastValue, beganAt: this.#moments.next(), who };
    this.#openWrites.add(write);
    return write;
  }

  /** It was acknowledged. One that is not stays open: it may take effect at any time, or never. */
  writeEnded(write: OpenWrite): void {
    this.#openWrites.delete(write);
    this.#operations.push({ kind: "write", ...write, endedAt: this.#moments.next() });
  }

  /** It never has an effect: who reads its value reads what nobody wrote. */
  writeRefused(write: OpenWrite): void {
    this.#openWrites.delete(write);
  }

  readBegins(who: string, isStale: boolean): OpenRead {
    return { who, isStale, beganAt: this.#moments.next() };
  }

  /** One that is not answered had no effect. */
  readEnded({ who, isStale, beganAt }: OpenRead, value: number): void {
    this.#operations.push({
      kind: "read",
      value,
      beganAt: isStale ? Number.NEGATIVE_INFINITY : beganAt,
      endedAt: this.#moments.next(),
      who,
    });
  }

  /** What no single register can have done; null if one can have done it all. */
  judge(): string | null {
    const open = [...this.#openWrites].map(
      (write): Operation => ({ kind: "write", ...write, endedAt: Number.POSITIVE_INFINITY }),
    );
    return contradiction([...this.#operations, ...open]);
  }
}
