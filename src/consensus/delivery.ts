/** Hands what is committed to the host in the order of the log, no more than it has room for (P8). */

import { assert } from "../base/assert.ts";
import { applyWindowMaxBytes } from "../base/limits.ts";
import type { RaftCore } from "../raft/core.ts";
import { payloadBytes } from "../raft/log.ts";
import type { Entry, LogIndex, Snapshot } from "../raft/types.ts";

export interface DeliveryDependencies {
  readonly core: Pick<RaftCore, "committedEntries" | "snapshot" | "commitIndex">;
  /** Nothing is handed over any more. */
  isStopped(): boolean;
  /** In log order, without gaps. */
  committed(entries: readonly Entry[], commitIndex: LogIndex): void;
  /** The entries that come next were compacted away; this stands for them. */
  snapshot(snapshot: Snapshot): void;
}

/** Committed entries are never dropped: what the host has no room for stays in the log. */
export class Delivery {
  readonly #dependencies: DeliveryDependencies;
  #deliveredIndex: LogIndex;
  /** What the host has and has not said to be applied, in log order. */
  readonly #unapplied: { readonly index: LogIndex; readonly bytes: number }[] = [];
  #unappliedBytes = 0;

  /** `appliedIndex`: what the host has applied already, and durably knows. */
  constructor(appliedIndex: LogIndex, dependencies: DeliveryDependencies) {
    this.#deliveredIndex = appliedIndex;
    this.#dependencies = dependencies;
  }

  /** The host has applied everything up to `index`: there is room again. */
  applied(index: LogIndex): void {
    for (let first = this.#unapplied[0]; first !== undefined; first = this.#unapplied[0]) {
      if (first.index > index) return;
      this.#unappliedBytes -= first.bytes;
      this.#unapplied.shift();
    }
  }

  /** Hands over what is committed by now, as far as there is room. */
  deliver(): void {
    const { core, isStopped, committed } = this.#dependencies;
    while (!isStopped() && this.#unappliedBytes < applyWindowMaxBytes) {
      const room = applyWindowMaxBytes - this.#unappliedBytes;
      const entries = core.committedEntries(this.#deliveredIndex + 1, room);
      if (entries === null) {
        this.#deliverSnapshot();
        continue;
      }
      const last = entries.at(-1);
      if (last === undefined) return;
      const bytes = entries.reduce((sum, entry) => sum + payloadBytes(entry), 0);
      this.#advance(last.index, bytes);
      committed(entries, core.commitIndex);
    }
  }

  #deliverSnapshot(): void {
    const snapshot = this.#dependencies.core.snapshot();
    assert(snapshot !== null, "what is compacted away is in a snapshot");
    assert(snapshot.last.index > this.#deliveredIndex, "a snapshot leads on");
    this.#advance(snapshot.last.index, snapshot.data.length);
    this.#dependencies.snapshot(snapshot);
  }

  #advance(index: LogIndex, bytes: number): void {
    this.#deliveredIndex = index;
    this.#unapplied.push({ index, bytes });
    this.#unappliedBytes += bytes;
  }
}
