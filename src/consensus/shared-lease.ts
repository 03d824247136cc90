/**
 * The leader's lease in shared memory, so that the main thread sees it run out even while the
 * consensus thread stands still. Both threads measure by the process's one monotonic clock.
 */

import type { Term } from "../raft/types.ts";

const termSlot = 0;
const untilSlot = 1;
/** The last instant a slot can hold: the end of a lone voter's lease, which has none. */
const foreverNs = 2n ** 63n - 1n;

/** Milliseconds of a monotonic clock that all threads of the process share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export class SharedLease {
  readonly buffer: SharedArrayBuffer;
  readonly #slots: BigInt64Array;
  /** What was last written, by this thread. */
  #term: Term = 0;
  #untilMs = Number.NEGATIVE_INFINITY;

  constructor(buffer = new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#slots = new BigInt64Array(buffer);
  }

  /** `untilMs` by `monotonicMs`; -Infinity without a lease, Infinity for one without an end. */
  write(term: Term, untilMs: number): void {
    if (term === this.#term && untilMs === this.#untilMs) return;
    if (term !== this.#term) {
      // Never a term with another term's lease: it is taken away first, and given last.
      Atomics.store(this.#slots, untilSlot, 0n);
      Atomics.store(this.#slots, termSlot, BigInt(term));
    }
    Atomics.store(this.#slots, untilSlot, toNs(untilMs));
    this.#term = term;
    this.#untilMs = untilMs;
  }

  /** Whether this node may trust, right now, that it leads `term` and nobody else leads. */
  isHeld(term: Term): boolean {
    const untilNs = Atomics.load(this.#slots, untilSlot);
    return (
      Atomics.load(this.#slots, termSlot) === BigInt(term) && process.hrtime.bigint() < untilNs
    );
  }
}

function toNs(ms: number): bigint {
  if (ms === Number.POSITIVE_INFINITY) return foreverNs;
  return ms > 0 ? BigInt(Math.floor(ms * 1e6)) : 0n;
}
