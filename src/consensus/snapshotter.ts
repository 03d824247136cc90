/**
 * Decides when a snapshot is taken and what the log loses then (Raft §7). The host is asked for its state
 * machine as of an entry that it has durably applied; the store keeps that, with the configuration then
 * in force, and removes entries from the front of the log.
 *
 *            threshold applied        answer             saved              removed
 *     idle ---------------------> asked ----> saving ------------> compacting ----> idle
 *       ^                           | none now
 *       +------- askAgainMs --------+
 */

import { assert } from "../base/assert.ts";
import { snapshotSizeMaxBytes } from "../base/limits.ts";
import type { RaftCore } from "../raft/core.ts";
import type { RaftEvent } from "../raft/event.ts";
import type { PeerStatus, RaftStatus } from "../raft/status.ts";
import type { EntryId, LogIndex, ServerId, Snapshot } from "../raft/types.ts";
import type { Shortage } from "../storage/disk.ts";

/** The state machine as of an entry, as the host has it. */
export interface StateSnapshot extends EntryId {
  readonly data: Uint8Array;
}

export interface SnapshotterOptions {
  /** Applied entries from one snapshot to the next. */
  readonly snapshotThreshold: number;
  /** Entries kept behind a snapshot, for followers that missed no more. */
  readonly trailingLogs: number;
  readonly heartbeatTimeoutMs: number;
}

export interface SnapshotterDependencies {
  readonly core: Pick<RaftCore, "status" | "commitIndex" | "termAt" | "configurationAt">;
  now(): number;
  afterMs(delayMs: number, callback: () => void): void;
  /** Asks the host for its state machine; the answer comes by `taken`. */
  want(): void;
  /** null if there is room on the disk for a snapshot of this size. */
  shortageFor(sizeBytes: number): Shortage | null;
  save(snapshot: Snapshot, done: () => void): void;
  compactThrough(index: LogIndex, done: () => void): void;
  emit(event: RaftEvent): void;
}

/** A host that has nothing to give (its block store is behind, its disk slow) is asked again after this. */
const askAgainMs = 1_000;

export class Snapshotter {
  readonly #options: SnapshotterOptions;
  readonly #dependencies: SnapshotterDependencies;
  #state: "idle" | "asked" | "resting" | "saving" | "compacting" = "idle";
  #appliedIndex: LogIndex;
  /** Where the last one ended that could not be kept. */
  #refusedIndex: LogIndex = 0;
  #askedMs = 0;
  /** How far each follower was behind when the log was last shortened. */
  #lags = new Map<ServerId, number>();

  constructor(
    options: SnapshotterOptions & { readonly appliedIndex: LogIndex },
    dependencies: SnapshotterDependencies,
  ) {
    assert(options.snapshotThreshold > 0, "a snapshot needs an entry", {
      threshold: options.snapshotThreshold,
    });
    this.#options = options;
    this.#dependencies = dependencies;
    this.#appliedIndex = options.appliedIndex;
  }

  /** The host has applied everything up to `index`. */
  applied(index: LogIndex): void {
    this.#appliedIndex = Math.max(this.#appliedIndex, index);
    this.#askIfDue();
  }

  /** The host's answer: null if it has none now. */
  taken(snapshot: StateSnapshot | null): void {
    assert(this.#state === "asked", "a snapshot is taken when it was asked for", {
      state: this.#state,
    });
    if (snapshot === null || !this.#isNews(snapshot)) return this.#askLater();
    const { core, shortageFor, save, emit } = this.#dependencies;
    const { index, term, data } = snapshot;
    const last = { index, term };
    const sizeBytes = data.length;
    if (sizeBytes > snapshotSizeMaxBytes) {
      // Nobody could be sent it, so the log must stay. The next one may be smaller.
      emit({ kind: "snapshotTooLarge", index, sizeBytes, limitBytes: snapshotSizeMaxBytes });
      return this.#refuse(index);
    }
    const shortage = shortageFor(sizeBytes);
    if (shortage !== null) {
      // Written all the same it would end this node, and at the same entry all others that have as little room.
      emit({ kind: "snapshotLacksRoom", index, sizeBytes, ...shortage });
      return this.#refuse(index);
    }
    this.#state = "saving";
    save({ last, data, ...core.configurationAt(index) }, () => this.#saved(last, sizeBytes));
  }

  #askIfDue(): void {
    if (this.#state !== "idle") return;
    const { core, now, want } = this.#dependencies;
    const newEntries = this.#appliedIndex - Math.max(core.status.snapshotIndex, this.#refusedIndex);
    if (newEntries < this.#options.snapshotThreshold) return;
    this.#state = "asked";
    this.#askedMs = now();
    want();
  }

  #askLater(): void {
    this.#state = "resting";
    this.#dependencies.afterMs(askAgainMs, () => this.#rest());
  }

  #rest(): void {
    this.#state = "idle";
    this.#askIfDue();
  }

  /** Asked at once, the host would give the same again, and for ever: until more is applied, nothing is asked. */
  #refuse(index: LogIndex): void {
    this.#refusedIndex = index;
    this.#state = "idle";
  }

  /**
   * Whether this log has what `last` names, and no snapshot of it. A leader's snapshot may have overtaken
   * the host; and after a crash the host may be ahead of a log that was not yet durable.
   */
  #isNews({ index, term }: EntryId): boolean {
    const { core } = this.#dependencies;
    if (index <= core.status.snapshotIndex || index > core.commitIndex) return false;
    assert(core.termAt(index) === term, "what was applied is what is committed", { index, term });
    return true;
  }

  #saved(last: EntryId, sizeBytes: number): void {
    const { core, now, compactThrough, emit } = this.#dependencies;
    const { firstIndex } = core.status;
    const through = Math.min(last.index - this.#options.trailingLogs, this.#neededAfter());
    emit({
      kind: "snapshotTaken",
      ...last,
      sizeBytes,
      durationMs: now() - this.#askedMs,
      entriesRemoved: Math.max(0, through - firstIndex + 1),
    });
    if (through < firstIndex) return this.#rest();
    this.#state = "compacting";
    compactThrough(through, () => this.#rest());
  }

  /**
   * The entries after this are still to be sent to some follower. To one that is being sent a snapshot: its
   * last entry, which shows whether it has arrived, and those after it, or it would need another one when
   * it has this one, and so on for ever over a slow link. The send is given up some time
   * (`replication.ts`). To any other that answers: those after its match, as long as it comes closer. One
   * that falls further and further behind holds up nobody's log.
   */
  #neededAfter(): LogIndex {
    const { status } = this.#dependencies.core;
    const lags = new Map<ServerId, number>();
    let needed = Number.POSITIVE_INFINITY;
    for (const peer of status.peers) {
      if (peer.sendingSnapshotIndex !== null) {
        needed = Math.min(needed, peer.sendingSnapshotIndex - 1);
      } else if (this.#isHeard(peer)) {
        const lag = lagOf(peer, status);
        lags.set(peer.id, lag);
        const isGaining = lag < (this.#lags.get(peer.id) ?? Number.POSITIVE_INFINITY);
        if (isGaining || lag <= this.#options.snapshotThreshold) {
          needed = Math.min(needed, peer.matchIndex);
        }
      }
    }
    this.#lags = lags;
    return needed;
  }

  #isHeard({ hasAnswered, silentMs }: PeerStatus): boolean {
    return hasAnswered && silentMs < this.#options.heartbeatTimeoutMs;
  }
}

function lagOf(peer: PeerStatus, { lastIndex }: RaftStatus): number {
  return lastIndex - peer.matchIndex;
}
