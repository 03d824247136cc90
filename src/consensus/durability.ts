/**
 * The disk, as the driver uses it: what a Ready wants durable is written in order, messages that promise it
 * are held until it is, and it is watched whether the disk keeps up.
 */

import { assert } from "../base/assert.ts";
import type { Message } from "../raft/message.ts";
import type { OutboundMessage, Persist, PersistSequence } from "../raft/ready.ts";
import { DiskWatch, type DiskWatchOptions, type SlowDisk } from "./disk-watch.ts";

export interface DurabilityDependencies {
  now(): number;
  at(atMs: number, callback: () => void): void;
  /** Calls back in the order of the calls, and not at all for a write that failed. */
  write(persist: Persist, done: () => void): void;
  send(message: Message): void;
  persisted(sequence: PersistSequence, tookMs: number): void;
  isLeading(): boolean;
  /** It has become too slow to lead with, or is well again (null). */
  diskChanged(slow: SlowDisk | null): void;
}

export class Durability {
  readonly #dependencies: DurabilityDependencies;
  readonly #watch: DiskWatch;
  #durableSequence: PersistSequence = 0;
  #held: OutboundMessage[] = [];
  #slow: SlowDisk | null = null;
  #isArmed = false;

  constructor(options: DiskWatchOptions, dependencies: DurabilityDependencies) {
    this.#dependencies = dependencies;
    this.#watch = new DiskWatch(options);
  }

  /** How slow the disk is at this moment, if it is too slow to lead with. */
  get slowDisk(): SlowDisk | null {
    return this.#slow;
  }

  send(outbound: OutboundMessage): void {
    if (outbound.afterSequence <= this.#durableSequence) this.#dependencies.send(outbound.message);
    else this.#held.push(outbound);
  }

  persist(persist: Persist): void {
    const { now, write } = this.#dependencies;
    const startedMs = now();
    this.#watch.began(startedMs);
    this.#arm();
    write(persist, () => this.#written(persist.sequence, startedMs));
  }

  #written(sequence: PersistSequence, startedMs: number): void {
    assert(sequence === this.#durableSequence + 1, "writes become durable in order", { sequence });
    const nowMs = this.#dependencies.now();
    this.#durableSequence = sequence;
    this.#watch.ended(nowMs);
    this.#releaseHeld();
    this.#dependencies.persisted(sequence, nowMs - startedMs);
    this.#look();
  }

  #releaseHeld(): void {
    const isDue = (outbound: OutboundMessage) => outbound.afterSequence <= this.#durableSequence;
    const due = this.#held.filter(isDue);
    this.#held = this.#held.filter((outbound) => !isDue(outbound));
    for (const { message } of due) this.#dependencies.send(message);
  }

  #look(): void {
    const { now, isLeading, diskChanged } = this.#dependencies;
    const wasSlow = this.#slow !== null;
    this.#slow = this.#watch.look(now(), isLeading());
    this.#arm();
    if (wasSlow !== (this.#slow !== null)) diskChanged(this.#slow);
  }

  #arm(): void {
    const { lookAgainMs } = this.#watch;
    if (this.#isArmed || lookAgainMs === Number.POSITIVE_INFINITY) return;
    this.#isArmed = true;
    this.#dependencies.at(lookAgainMs, () => {
      this.#isArmed = false;
      this.#look();
    });
  }
}
