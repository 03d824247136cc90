/** A node: what outlives its processes (disk and executed state), and the process that runs now. */

import type { RaftStatus } from "../../src/raft/status.ts";
import type { Readiness, ServerId } from "../../src/raft/types.ts";
import { type AppliedState, nothingApplied } from "./applied-state.ts";
import type { Dice } from "./dice.ts";
import type { Disturbance } from "./disturbance.ts";
import { Life } from "./life.ts";
import { LogImage } from "./log-image.ts";
import { MemoryRaftStore } from "./memory-raft-store.ts";
import type { Ending, Network } from "./network.ts";
import type { Parts } from "./parts.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

export class SimulatedNode {
  readonly id: ServerId;
  /** All members of its cluster. */
  readonly voters: readonly ServerId[];
  readonly clockRate: number;
  /** Its own, as every part has: what happens to one changes no throw of another. */
  readonly dice: Dice;
  store: MemoryRaftStore;
  /** What is on its disk. */
  durable: LogImage;
  /** What its process has given to the disk. */
  written: LogImage;
  /** What it has executed and durably knows to have. */
  saved: AppliedState;
  readiness: Readiness = { isReady: true, appliedHeight: 0, priority: 0 };
  life: Life | null = null;
  /** What each write takes, for ever perhaps, whatever process it is of; null: as the conditions say. */
  diskWriteMs: number | null = null;
  /** No write of any process ends well. */
  isDiskFull = false;
  readonly #network: Network;
  readonly #parts: Parts;
  readonly #world: World;

  constructor(
    options: {
      readonly id: ServerId;
      readonly voters: readonly ServerId[];
      readonly clockRate: number;
    },
    stored: {
      readonly store: MemoryRaftStore;
      readonly durable: LogImage;
      readonly saved: AppliedState;
    },
    network: Network,
    parts: Parts,
    world: World,
  ) {
    this.id = options.id;
    this.voters = options.voters;
    this.clockRate = options.clockRate;
    this.dice = world.dice.fork(options.id);
    this.store = stored.store;
    this.durable = stored.durable;
    this.written = stored.durable.copy();
    this.saved = stored.saved;
    this.#network = network;
    this.#parts = parts;
    this.#world = world;
  }

  get isUp(): boolean {
    return this.life !== null;
  }

  /** Whether its disk may lack what it once promised. */
  get lacksMemory(): boolean {
    return this.store.isEmpty || this.store.origin.recovery !== null;
  }

  /** Whether it lacks what it once promised, or held, or will, once the damage is found. */
  get mayLackMemory(): boolean {
    return this.lacksMemory || this.store.isDamaged || this.#parts.lacksState(this);
  }

  /** It has heard of no election, and cannot be told from a member of a new cluster. */
  get tookNoPart(): boolean {
    return this.store.hardState.currentTerm <= 1;
  }

  /** Up, and taking in what comes. */
  get isAwake(): boolean {
    return this.life !== null && !this.life.isAsleep;
  }

  /** null while no process runs. */
  get status(): RaftStatus | null {
    return this.life?.driver?.status ?? null;
  }

  start(): void {
    if (this.life !== null) return;
    if (this.store.isDamageFound) this.#replaceLog("finds its log damaged", "damage read");
    this.#world.transcript.note(this.id, () => `starts, applied ${this.saved.index}`);
    this.#checkDisk();
    this.written = this.durable.copy();
    const life = new Life(this, this.#network, this.#parts, this.#world);
    this.life = life;
    this.#network.started(life);
    this.#world.checkers.started(this);
    life.start();
  }

  /** What the disk had under way is durable up to some write, and gone from there on. */
  crash(ending: Ending): void {
    const { life } = this;
    if (life === null) return;
    this.life = null;
    life.end();
    const given = this.store.unflushedCount;
    const written = this.dice.integer(0, given);
    this.#world.transcript.note(this.id, () => `dies (${ending}), last writes kept: ${written}`);
    this.store = this.#parts.crash(this.store, written);
    if (written < given) this.#lost(ending, written);
    this.durable.snapshotTaken(this.store.log.snapshotLast);
    this.#network.ended(life, ending);
    this.#world.checkers.ended(this);
  }

  #lost(ending: Ending, written: number): void {
    const { checkers } = this.#world;
    checkers.disturbed(ending === "power" ? "writes lost with power" : "writes lost");
    if (written > 0) checkers.disturbed("writes torn");
  }

  /** Its Raft disk is replaced by an empty one; what it has executed is on another, which may be lost too. */
  wipe(losesState: boolean): void {
    this.crash("process");
    this.#world.transcript.note(this.id, () => (losesState ? "loses all" : "loses its log"));
    this.store = new MemoryRaftStore(new Uint8Array(16));
    this.durable = new LogImage();
    if (losesState) this.saved = nothingApplied;
    this.#world.checkers.wiped(this, losesState);
  }

  /** A bit of an entry on its disk flips. Found when somebody reads it, if it is still there then. */
  flipBit(dice: Dice): void {
    const { firstIndex, lastIndex } = this.store.log;
    if (firstIndex > lastIndex) return;
    const index = dice.integer(firstIndex, lastIndex);
    this.#world.transcript.note(this.id, () => `a bit flips in entry ${index}`);
    this.#world.checkers.disturbed("bit flipped");
    this.store.damage(index);
  }

  /** Every write fails from now on, whatever process it is of, or no more. */
  fillDisk(isFull: boolean): void {
    if (isFull === this.isDiskFull) return;
    this.isDiskFull = isFull;
    this.#world.transcript.note(this.id, () => `its disk ${isFull ? "is full" : "has room"}`);
  }

  /** Its operator looks for damage, as after so many faults. */
  inspectDisk(): void {
    if (this.store.isDamaged) {
      this.#replaceLog("its log is found to be damaged", "damage looked for");
    }
  }

  /** What an operator does with a damaged log: away with it, the others have it (P6). */
  #replaceLog(why: string, what: Disturbance): void {
    this.#world.transcript.note(this.id, () => why);
    this.#world.checkers.disturbed(what);
    this.wipe(false);
  }

  /** Whether it can be made unfit to lead while it runs and is connected. */
  get canAil(): boolean {
    return this.#parts.ailment !== null;
  }

  ail(): void {
    this.#parts.ailment?.begin(this);
  }

  recover(): void {
    this.#parts.ailment?.end(this);
  }

  /** SIGSTOP: it takes nothing in, while its sockets and its disk do. */
  sleep(): void {
    if (this.life === null) return;
    this.#world.transcript.note(this.id, () => "is stopped");
    this.life.sleep();
  }

  wake(): void {
    if (this.life === null || !this.life.isAsleep) return;
    this.#world.transcript.note(this.id, () => "goes on");
    this.life.wake();
  }

  /** From now on each write to its disk takes about `ms`, or never ends. */
  troubleDisk(ms: number | null): void {
    this.diskWriteMs = ms;
    this.life?.disk.troubled();
  }

  setReadiness(readiness: Readiness): void {
    if (this.life?.host.judgesReadiness === true) return;
    this.readiness = readiness;
    this.life?.setReadiness(readiness);
  }

  /** What a process finds is what its predecessors were told is durable. */
  #checkDisk(): void {
    const { hardState, log } = this.store;
    const { durable } = this;
    const isSame =
      hardState.currentTerm === durable.hardState.currentTerm &&
      hardState.votedFor === durable.hardState.votedFor &&
      log.lastIndex === durable.lastIndex &&
      log.snapshotLast.index === durable.snapshotLast.index;
    if (isSame) return;
    throw new Violation(
      "promised means durable",
      `${this.id} finds term ${hardState.currentTerm} and a log up to ${log.lastIndex}; ` +
        `term ${durable.hardState.currentTerm} and a log up to ${durable.lastIndex} were durable`,
    );
  }
}
