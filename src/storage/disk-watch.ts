/**
 * Whether this node's disk is too slow to lead with (P5): an average over its last writes,
 * in which the one under way counts as soon as it is above it. A disk that stalls is slow now, not when
 * it goes on. Pure: whoever uses it has the clock, and looks again when told to.
 *
 *    writes    |_| |_| |_|   |____________________ ...
 *    average   ____________________/      limit of a follower, of a leader
 *                                 slow ...         and well again: half of it, for a while
 *
 * Three limits keep leadership from going to and fro. To take over, a disk must be better than to lead on:
 * of disks that stall together (one host, one SAN) those of the followers are found slow first, and
 * the leader stays. And what was slow must be well for a while, unless nothing is written any more.
 */

import { assert } from "../base/assert.ts";

export interface DiskWatchOptions {
  readonly heartbeatTimeoutMs: number;
  readonly electionTimeoutMs: number;
}

export interface SlowDisk {
  /** For a write: the average, or the age of the one under way if that is more. */
  readonly takesMs: number;
  /** What the average may be in a node that is to take over. */
  readonly limitMs: number;
}

/** What one write counts at most: some in a row tell the truth, and a single one has to take three times the limit. */
const newestShareMax = 1 / 3;
/** Below it no disk is called slow, however short the timeouts: a busy one takes as long now and then. */
const standbyLimitMinMs = 100;
const leadingFactor = 1.5;
const wellFactor = 0.5;
const wellAfterMinMs = 3_000;

/** How long nothing of a slow disk may be seen until it counts as well again. */
export function wellAfterMs({
  electionTimeoutMs,
}: Pick<DiskWatchOptions, "electionTimeoutMs">): number {
  return Math.max(5 * electionTimeoutMs, wellAfterMinMs);
}

export class DiskWatch {
  readonly #windowMs: number;
  readonly #limitMs: number;
  readonly #wellAfterMs: number;
  /** When the writes under way were given, oldest first. They end in order. */
  readonly #underWay: number[] = [];
  #averageMs = 0;
  #averagedMs = Number.NEGATIVE_INFINITY;
  /** A write has ended that was not looked at: an old average is no news. */
  #hasNews = false;
  /** It is slow until then, unless it is seen to be slow again; null while it is well. */
  #slowUntilMs: number | null = null;
  #lookAgainMs = Number.POSITIVE_INFINITY;
  /** For how long this process stood still in its life: all times here are without it. */
  #pausedMs = 0;

  constructor(options: DiskWatchOptions) {
    this.#windowMs = options.heartbeatTimeoutMs;
    this.#limitMs = Math.max(options.heartbeatTimeoutMs / 6, standbyLimitMinMs);
    this.#wellAfterMs = wellAfterMs(options);
  }

  /** When `look` is to be called next; Infinity while there is nothing to see. */
  get lookAgainMs(): number {
    return this.#lookAgainMs + this.#pausedMs;
  }

  began(nowMs: number): void {
    const atMs = this.#awakeMs(nowMs);
    this.#underWay.push(atMs);
    this.#lookAgainMs = Math.min(this.#lookAgainMs, atMs + this.#lookEveryMs);
  }

  ended(nowMs: number): void {
    const atMs = this.#awakeMs(nowMs);
    const beganMs = this.#underWay.shift();
    assert(beganMs !== undefined, "a write that ends has begun");
    this.#averageMs = this.#averageWith(atMs - beganMs, atMs);
    this.#averagedMs = atMs;
    this.#hasNews = true;
  }

  /** How slow the disk is; null if it is well. */
  look(nowMs: number, isLeading: boolean): SlowDisk | null {
    const atMs = this.#awakeMs(nowMs);
    const [oldestMs = atMs] = this.#underWay;
    const isWriting = this.#underWay.length > 0;
    const averageMs = Math.max(this.#averageMs, this.#averageWith(atMs - oldestMs, atMs));
    const isSeen = isWriting || this.#hasNews;
    this.#hasNews = false;
    if (isSeen && averageMs > this.#limitFor(isLeading)) {
      this.#slowUntilMs = atMs + this.#wellAfterMs;
    } else if (this.#slowUntilMs !== null && atMs >= this.#slowUntilMs) {
      this.#slowUntilMs = null;
      this.#averageMs = 0;
    }
    const isSlow = this.#slowUntilMs !== null;
    const isIdle = !isWriting && !isSlow;
    this.#lookAgainMs = isIdle ? Number.POSITIVE_INFINITY : atMs + this.#lookEveryMs;
    const takesMs = Math.max(averageMs, atMs - oldestMs);
    return isSlow ? { takesMs, limitMs: this.#limitMs } : null;
  }

  #limitFor(isLeading: boolean): number {
    if (this.#slowUntilMs !== null) return wellFactor * this.#limitMs;
    return isLeading ? leadingFactor * this.#limitMs : this.#limitMs;
  }

  get #lookEveryMs(): number {
    return this.#limitMs / 2;
  }

  /**
   * The average with one more write. Those that share an fsync end at one time and count as one: by its own
   * time, a write counts as much as has passed since the one before.
   */
  #averageWith(tookMs: number, atMs: number): number {
    const passed = 1 - Math.exp(-(atMs - this.#averagedMs) / this.#windowMs);
    return this.#averageMs + Math.min(newestShareMax, passed) * (tookMs - this.#averageMs);
  }

  /**
   * `nowMs` without the time in which this process stood still (SIGSTOP, a long collection of garbage): then
   * it looks late, and what the disk did meanwhile it could not see.
   */
  #awakeMs(nowMs: number): number {
    const lateMs = nowMs - this.lookAgainMs;
    if (lateMs >= this.#lookEveryMs) this.#pausedMs += lateMs;
    return nowMs - this.#pausedMs;
  }
}
