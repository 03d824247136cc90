/**
 * When the simulated disk is done: writes given while one is under way share the next one's fsync, some
 * stall, and a crash decides how many of those under way made it. What was written is `MemoryRaftStore`'s.
 */

import type { DriverStore } from "../../src/consensus/driver.ts";
import type { LogReader, Persist } from "../../src/raft/ready.ts";
import type { HardState, LogIndex, Origin, Snapshot } from "../../src/raft/types.ts";
import type { Shortage } from "../../src/storage/disk.ts";
import { fromSnapshot } from "./applied-state.ts";
import { describePersist } from "./describe.ts";
import type { Life } from "./life.ts";
import type { LogImage } from "./log-image.ts";
import type { MemoryRaftStore } from "./memory-raft-store.ts";
import type { World } from "./world.ts";

export type PersistDone = (error: Error | null) => void;

export class SimulatedDisk implements DriverStore {
  protected readonly store: MemoryRaftStore;
  protected readonly life: Life;
  readonly #world: World;
  readonly #durable: LogImage;
  #isWriting = false;
  /** Every write takes this much longer until then. */
  #slowUntilMs = 0;
  /** About so long takes each write, whatever the conditions; Infinity: none ends. */
  #isBroken = false;

  constructor(store: MemoryRaftStore, durable: LogImage, life: Life, world: World) {
    this.store = store;
    this.#durable = durable;
    this.life = life;
    this.#world = world;
  }

  get hardState(): HardState {
    return this.store.hardState;
  }

  get isEmpty(): boolean {
    return this.store.isEmpty;
  }

  get origin(): Origin {
    return this.store.origin;
  }

  get log(): LogReader {
    return this.store.log;
  }

  persist(persist: Persist, done: PersistDone): void {
    if (!this.life.reach()) return;
    const { checkers, transcript } = this.#world;
    const { node } = this.life;
    transcript.note(node.id, () => `write ${describePersist(persist)}`);
    checkers.writing(node, persist);
    node.written.apply(persist);
    this.store.persist(persist, (error) => {
      if (error === null) this.#nowDurable(persist);
      done(error);
    });
    this.#write();
  }

  /** A full disk has no room for snapshots either, and who asks first does not end by it. */
  shortageFor(snapshotBytes: number): Shortage | null {
    if (!this.life.node.isDiskFull) return this.store.shortageFor();
    return { freeBytes: 0, neededBytes: snapshotBytes };
  }

  saveSnapshot(snapshot: Snapshot, done: PersistDone): void {
    if (!this.life.reach()) return;
    const { checkers, transcript } = this.#world;
    const { node } = this.life;
    transcript.note(node.id, () => `snapshot at ${snapshot.last.index}`);
    checkers.snapshotTaken(node, fromSnapshot(snapshot));
    this.store.saveSnapshot(snapshot, (error) => {
      if (error === null) this.#forImages((image) => image.snapshotTaken(snapshot.last));
      done(error);
    });
    this.#write();
  }

  compactThrough(index: LogIndex, done: PersistDone): void {
    if (!this.life.reach()) return;
    const { checkers, transcript } = this.#world;
    const { node } = this.life;
    transcript.note(node.id, () => `compacts up to ${index}`);
    checkers.compacting(node, index);
    this.store.compactThrough(index, done);
    this.#forImages((image) => image.compactThrough(index));
    this.#write();
  }

  get isSlowedDown(): boolean {
    return this.#world.schedule.nowMs < this.#slowUntilMs;
  }

  slowDown(forMs: number): void {
    this.#slowUntilMs = this.#world.schedule.nowMs + forMs;
  }

  /** What the node says of its disk has changed. A write under way goes on. */
  troubled(): void {
    this.#write();
  }

  /** The next write fails, or the one under way. */
  breakDown(): void {
    this.#isBroken = true;
  }

  #write(): void {
    if (this.#isWriting || this.store.unflushedCount === 0) return;
    if (this.life.node.diskWriteMs === Number.POSITIVE_INFINITY) {
      return this.#world.checkers.disturbed("write withheld");
    }
    this.#isWriting = true;
    const count = this.store.unflushedCount;
    this.#world.schedule.after(this.#writeMs(), () => {
      this.life.run("io", () => {
        this.#isWriting = false;
        if (this.#isBroken || this.life.node.isDiskFull) return this.#fail();
        this.store.flush(Math.min(count, this.store.unflushedCount));
        this.#write();
      });
    });
  }

  /** What is on disk is not known then: some of it is, perhaps. */
  #fail(): void {
    this.#world.checkers.disturbed(this.#isBroken ? "disk broken" : "disk full");
    this.store.flush(this.life.node.dice.integer(0, this.store.unflushedCount - 1));
    this.store.fail();
    // The driver hears of it only if a write of its own was among those that failed.
    this.life.dieAtCall(0);
  }

  #nowDurable(persist: Persist): void {
    this.#durable.apply(persist);
    const { transcript } = this.#world;
    transcript.note(this.life.node.id, () => `durable #${persist.sequence}`);
  }

  #forImages(change: (image: LogImage) => void): void {
    for (const image of [this.#durable, this.life.node.written]) change(image);
  }

  #writeMs(): number {
    const { conditions, plan, checkers } = this.#world;
    const { dice, diskWriteMs } = this.life.node;
    if (diskWriteMs !== null) {
      checkers.disturbed("write slowed");
      return diskWriteMs * dice.between(1, 1.5);
    }
    const { writeMs, stallRate, stallMs } = conditions.disk;
    const isStalled = stallRate > 0 && dice.chance(stallRate);
    const { low, high } = isStalled ? stallMs : writeMs;
    const isSlow = this.isSlowedDown;
    if (isStalled) checkers.disturbed("write stalled");
    if (isSlow) checkers.disturbed("write slowed");
    return dice.between(low, high) + (isSlow ? dice.between(0, plan.timeouts.heartbeatMs) : 0);
  }
}
