/**
 * The disk, as the driver uses it: what a Ready wants durable is written in order, messages that promise it
 * are held until it is, and it is watched whether the disk keeps up.
 */

import { assert } from "../base/assert.ts";
import type { Message } from "../raft/message.ts";
import type { OutboundMessage, Persist, PersistSequence } from "../raft/ready.ts";
import type { DiskWatchOptions, SlowDisk } from "../storage/disk-watch.ts";
import { WatchedDisk, type WatchedDiskDependencies } from "../storage/watched-disk.ts";

export interface DurabilityDependencies extends WatchedDiskDependencies {
  /** Calls back in the order of the calls, and not at all for a write that failed. */
  write(persist: Persist, done: () => void): void;
  send(message: Message): void;
  persisted(sequence: PersistSequence, tookMs: number): void;
}

export class Durability {
  readonly #dependencies: DurabilityDependencies;
  readonly #disk: WatchedDisk;
  #durableSequence: PersistSequence = 0;
  #held: OutboundMessage[] = [];

  constructor(options: DiskWatchOptions, dependencies: DurabilityDependencies) {
    this.#dependencies = dependencies;
    this.#disk = new WatchedDisk(options, dependencies);
  }

  /** How slow the disk is at this moment, if it is too slow to lead with. */
  get slowDisk(): SlowDisk | null {
    return this.#disk.slow;
  }

  send(outbound: OutboundMessage): void {
    if (outbound.afterSequence <= this.#durableSequence) this.#dependencies.send(outbound.message);
    else this.#held.push(outbound);
  }

  persist(persist: Persist): void {
    const { now, write } = this.#dependencies;
    const startedMs = now();
    this.#disk.began();
    write(persist, () => this.#written(persist.sequence, now() - startedMs));
  }

  #written(sequence: PersistSequence, tookMs: number): void {
    assert(sequence === this.#durableSequence + 1, "writes become durable in order", { sequence });
    this.#durableSequence = sequence;
    this.#releaseHeld();
    this.#disk.ended();
    this.#dependencies.persisted(sequence, tookMs);
  }

  #releaseHeld(): void {
    const isDue = (outbound: OutboundMessage) => outbound.afterSequence <= this.#durableSequence;
    const due = this.#held.filter(isDue);
    this.#held = this.#held.filter((outbound) => !isDue(outbound));
    for (const { message } of due) this.#dependencies.send(message);
  }
}
