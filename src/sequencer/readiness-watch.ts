/** Watches whether this node is fit to lead (P5), and tells consensus and the log when that changes. */

import { sleep } from "../base/task-group.ts";
import type { Executor } from "../execution/executor.ts";
import {
  leaderlessReason,
  type ReadinessFacts,
  readyWord,
  unreadyDetail,
  wellRaft,
  whyUnready,
} from "./readiness.ts";
import { Silence } from "./silence.ts";

export interface ReadinessOptions {
  /** An executor that fails for so long makes this node unready (P5). */
  readonly unreadyAfterMs: number;
  readonly priority: number;
}

/** What consensus tells the other members. */
export interface Readiness {
  readonly isReady: boolean;
  readonly appliedHeight: number;
  readonly priority: number;
}

export interface ReadinessListener {
  readinessChanged(isReady: boolean, reason: string): void;
  executionFailed(height: number, error: Error): void;
  executionRecovered(height: number, downMs: number): void;
}

export interface ReadinessDependencies {
  readonly executor: Pick<Executor, "oldestCall">;
  readonly setReadiness: (readiness: Readiness) => void;
  readonly listener: ReadinessListener;
  readonly facts: () => Omit<ReadinessFacts, "failingMs" | "unreadyAfterMs"> & {
    readonly appliedHeight: number;
    readonly hasJoined: boolean;
  };
}

const lookEveryMs = 100;

export class ReadinessWatch {
  readonly #options: ReadinessOptions;
  readonly #dependencies: ReadinessDependencies;
  readonly #silence = new Silence(lookEveryMs);
  #failingSinceMs: number | null = null;
  #reported: { readonly appliedHeight: number; readonly reason: string | null } | null = null;
  /** What was last said of it in the log; at the start everybody knows that there is no leader yet. */
  #told = leaderlessReason;

  constructor(options: ReadinessOptions, dependencies: ReadinessDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /** null if this node is fit to lead; else why not, and how far it is. */
  get reason(): string | null {
    return unreadyDetail(this.#facts);
  }

  /** null if it is of use to clients, with so many committed entries left to apply; else why not. */
  reasonWithin(entriesBehindMax: number): string | null {
    return unreadyDetail(this.#facts, entriesBehindMax);
  }

  /** Whether it lacks anything that is committed; a slow disk alone is no lack, nor a broken path to the others. */
  get isBehind(): boolean {
    return whyUnready({ ...this.#facts, raft: wellRaft, slowDataDisk: null }) !== null;
  }

  /** How long the executor has failed, or has been silent; 0 while it answers. */
  get failingMs(): number {
    const sinceMs = this.#failingSinceMs;
    return Math.max(sinceMs === null ? 0 : performance.now() - sinceMs, this.#silence.ms);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#silence.look(this.#dependencies.executor.oldestCall);
      this.report();
      await sleep(lookEveryMs, signal);
    }
  }

  executionFailed(height: number, error: Error): void {
    // A call that had no answer has failed since it was made.
    this.#failingSinceMs ??= performance.now() - this.#silence.ms;
    this.#dependencies.listener.executionFailed(height, error);
  }

  executed(height: number): void {
    if (this.#failingSinceMs === null) return;
    const downMs = performance.now() - this.#failingSinceMs;
    this.#failingSinceMs = null;
    this.#dependencies.listener.executionRecovered(height, downMs);
  }

  /** To be called when something has changed that this hangs on. */
  report(): void {
    const reason = whyUnready(this.#facts);
    const { appliedHeight, hasJoined } = this.#dependencies.facts();
    const last = this.#reported;
    if (last?.reason !== reason || last.appliedHeight !== appliedHeight) {
      this.#reported = { appliedHeight, reason };
      const { priority } = this.#options;
      this.#dependencies.setReadiness({ isReady: reason === null, appliedHeight, priority });
    }
    // Fit to lead is one thing, of use to clients another: for that a leader must be there as well.
    const told = reason ?? (hasJoined ? readyWord : leaderlessReason);
    if (told === this.#told) return;
    this.#told = told;
    this.#dependencies.listener.readinessChanged(told === readyWord, told);
  }

  get #facts(): ReadinessFacts {
    const { unreadyAfterMs } = this.#options;
    return { ...this.#dependencies.facts(), failingMs: this.failingMs, unreadyAfterMs };
  }
}
