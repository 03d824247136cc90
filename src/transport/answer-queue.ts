/**
 * The order of answers on one connection. The wire does not name the request that a response answers,
 * so responses leave in the order of the requests, whatever order they are given in.
 *
 *   requests   1 2 3     slots   1 answered  <- the oldest: leaves as soon as it is answered
 *                                2 open
 *                                3 answered  <- held back: on the wire it would answer 2
 */

import { assert } from "../base/assert.ts";
import type { RequestMessage } from "../raft/message.ts";

/** The place of one request in the order of answers. */
export interface Slot {
  /** What names the request to the core, which gives it back in its response. */
  readonly handle: number;
  readonly queue: AnswerQueue;
  /** `other` is answered without the core. */
  readonly request: RequestMessage["kind"] | "other";
  readonly sizeBytes: number;
  /** The encoded answer; null while the request is open. */
  answer: readonly Uint8Array[] | null;
}

/** The open slots of all connections, by handle. */
export class SlotTable {
  readonly #slots = new Map<number, Slot>();
  #lastHandle = 0;

  open(queue: AnswerQueue, request: Slot["request"], sizeBytes: number): Slot {
    this.#lastHandle++;
    const slot: Slot = { handle: this.#lastHandle, queue, request, sizeBytes, answer: null };
    this.#slots.set(slot.handle, slot);
    return slot;
  }

  /** null if the connection of that request is gone. */
  find(handle: number): Slot | null {
    return this.#slots.get(handle) ?? null;
  }

  close(slot: Slot): void {
    this.#slots.delete(slot.handle);
  }
}

export interface AnswerQueueDependencies {
  readonly slots: SlotTable;
  /** Sends what is next in order. */
  write(chunks: readonly Uint8Array[]): void;
  /** A request was answered: there is room for another. */
  onAnswered(): void;
}

export class AnswerQueue {
  readonly #dependencies: AnswerQueueDependencies;
  #slots: Slot[] = [];
  #sizeBytes = 0;
  #isClosed = false;

  constructor(dependencies: AnswerQueueDependencies) {
    this.#dependencies = dependencies;
  }

  /** Requests that are not answered, or whose answer is held back. */
  get length(): number {
    return this.#slots.length;
  }

  /** The bytes of those requests. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  open(request: Slot["request"], sizeBytes: number): Slot {
    const slot = this.#dependencies.slots.open(this, request, sizeBytes);
    this.#slots.push(slot);
    this.#sizeBytes += sizeBytes;
    return slot;
  }

  /** Takes the answer to `slot`'s request; nothing happens if the connection is gone. */
  answer(slot: Slot, answer: readonly Uint8Array[]): void {
    if (this.#isClosed) return;
    assert(slot.answer === null, "a request is answered once", { request: slot.request });
    slot.answer = answer;
    this.#flush();
    this.#dependencies.onAnswered();
  }

  close(): void {
    this.#isClosed = true;
    for (const slot of this.#slots) this.#dependencies.slots.close(slot);
    this.#slots = [];
  }

  #flush(): void {
    for (;;) {
      const oldest = this.#slots[0];
      if (oldest === undefined || oldest.answer === null) return;
      this.#slots.shift();
      this.#sizeBytes -= oldest.sizeBytes;
      this.#dependencies.slots.close(oldest);
      this.#dependencies.write(oldest.answer);
    }
  }
}
