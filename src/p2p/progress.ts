/** How far a backfill is: what survives a restart, and what is told meanwhile. */

import type { Height } from "../block/types.ts";
import type { OnP2pEvent } from "./event.ts";
import type { Anchor } from "./header-chain.ts";
import { reportIntervalMs } from "./limits.ts";

/**
 * Hashes proven to lie on the committed chain, in descending height, the target's first. A restart need
 * not prove them again; blocks that were handed over are the caller's to keep.
 */
export interface Progress {
  readonly anchors: readonly Anchor[];
}

export interface ProgressStore {
  /** Null if there is none. */
  load(): Progress | null;
  /** Replaces what was saved. Resolves once it survives a crash. */
  save(progress: Progress): Promise<void>;
}

/** Counts, and tells at most every two seconds. The rate is that of the last while, not of all time. */
export class ProgressMeter {
  readonly #phase: "headers" | "blocks";
  readonly #onEvent: OnP2pEvent;
  readonly #nowMs: () => number;
  #toldAtMs: number;
  #doneSince = 0;
  #blocksPerSecond: number | null = null;

  constructor(phase: "headers" | "blocks", onEvent: OnP2pEvent, nowMs: () => number) {
    this.#phase = phase;
    this.#onEvent = onEvent;
    this.#nowMs = nowMs;
    this.#toldAtMs = nowMs();
  }

  /** `count` more are done; `height` is the last of them. */
  advance(count: number, height: Height, remaining: number): void {
    this.#doneSince += count;
    const nowMs = this.#nowMs();
    const elapsedMs = nowMs - this.#toldAtMs;
    if (elapsedMs < reportIntervalMs) return;
    const rate = (this.#doneSince * 1000) / elapsedMs;
    // Ranges come in bursts: half of what is told is the rate before.
    const blocksPerSecond =
      this.#blocksPerSecond === null ? rate : (this.#blocksPerSecond + rate) / 2;
    this.#blocksPerSecond = blocksPerSecond;
    this.#toldAtMs = nowMs;
    this.#doneSince = 0;
    const etaSeconds = Math.ceil(remaining / blocksPerSecond);
    const phase = this.#phase;
    this.#onEvent({ kind: "progress", phase, height, remaining, blocksPerSecond, etaSeconds });
  }
}
