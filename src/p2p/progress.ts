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

/** Counts, and tells at most every two seconds. */
export class ProgressMeter {
  readonly #phase: "headers" | "blocks";
  readonly #onEvent: OnP2pEvent;
  readonly #nowMs: () => number;
  readonly #startedAtMs: number;
  #toldAtMs: number;
  #done = 0;

  constructor(phase: "headers" | "blocks", onEvent: OnP2pEvent, nowMs: () => number) {
    this.#phase = phase;
    this.#onEvent = onEvent;
    this.#nowMs = nowMs;
    this.#startedAtMs = nowMs();
    this.#toldAtMs = this.#startedAtMs;
  }

  /** `count` more are done; `height` is the last of them. */
  advance(count: number, height: Height, remaining: number): void {
    this.#done += count;
    const nowMs = this.#nowMs();
    if (nowMs - this.#toldAtMs < reportIntervalMs) return;
    this.#toldAtMs = nowMs;
    const blocksPerSecond = (this.#done * 1000) / (nowMs - this.#startedAtMs);
    const etaSeconds = blocksPerSecond > 0 ? Math.ceil(remaining / blocksPerSecond) : null;
    const phase = this.#phase;
    this.#onEvent({ kind: "progress", phase, height, remaining, blocksPerSecond, etaSeconds });
  }
}
