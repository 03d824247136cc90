/** One process of a node, from its start to its end: driver, clock, disk and host. */

import { Driver } from "../../src/consensus/driver.ts";
import { Startup } from "../../src/consensus/startup.ts";
import type { ConfigurationCodec } from "../../src/raft/membership.ts";
import type { Message } from "../../src/raft/message.ts";
import type { RpcFailure } from "../../src/raft/ready.ts";
import type { Readiness, ServerId } from "../../src/raft/types.ts";
import { decodeConfiguration, encodeConfiguration } from "../../src/transport/configuration.ts";
import { NodeClock } from "./clock.ts";
import { describeMessage } from "./describe.ts";
import type { SimulatedDisk } from "./disk.ts";
import type { Disturbance } from "./disturbance.ts";
import type { SimulatedHost } from "./host.ts";
import type { Network, Process } from "./network.ts";
import type { SimulatedNode } from "./node.ts";
import type { Parts } from "./parts.ts";
import { replicationStallMs } from "./plan.ts";
import type { World } from "./world.ts";

/** Timers and input: what a process that slept takes in on waking is not ordered between them. */
export type EventKind = "timer" | "io";

export const codec: ConfigurationCodec = {
  encode: encodeConfiguration,
  decode: ({ data }) => decodeConfiguration(data ?? new Uint8Array()),
};

export class Life implements Process {
  readonly node: SimulatedNode;
  readonly clock: NodeClock;
  readonly disk: SimulatedDisk;
  readonly host: SimulatedHost;
  /** null until there is a log to go on with. */
  driver: Driver | null = null;
  readonly #startup: Startup;
  /** What the driver was told last. */
  readiness: Readiness;
  readonly #parts: Parts;
  readonly #world: World;
  #isRunning = true;
  /** Calls out of the driver until the process dies in the middle of a step. */
  #callsLeft = Number.POSITIVE_INFINITY;
  /** What that death is to be called, if not only what it cuts off. */
  #deathBy: Disturbance | null = null;
  #isAsleep = false;
  /** By its own clock. */
  #wokeMs = Number.NEGATIVE_INFINITY;
  #inbox: { readonly kind: EventKind; readonly run: () => void }[] = [];

  constructor(node: SimulatedNode, network: Network, parts: Parts, world: World) {
    this.node = node;
    this.readiness = node.readiness;
    this.#parts = parts;
    this.#world = world;
    const offsetMs = node.dice.between(0, 1e6);
    const clockOptions = { offsetMs, rate: node.clockRate };
    this.clock = new NodeClock(clockOptions, world.schedule, (run) => this.run("timer", run));
    this.disk = parts.disk(node.store, node.durable, this, world);
    this.host = parts.host(this, network, world);
    this.#startup = this.#createStartup();
  }

  get nodeId(): ServerId {
    return this.node.id;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  get isAsleep(): boolean {
    return this.#isAsleep;
  }

  /** When it was last woken, by its own clock; long ago if it never slept. */
  get wokeMs(): number {
    return this.#wokeMs;
  }

  /** As its node says, its disk, and how it led. */
  get isReady(): boolean {
    if (this.driver === null) return this.readiness.isReady;
    const { slowDisk, status } = this.driver;
    return this.readiness.isReady && slowDisk === null && !status.hasStalled;
  }

  start(): void {
    this.run("io", () => {
      this.host.started();
      this.#startup.begin();
    });
  }

  setReadiness(readiness: Readiness): void {
    this.run("io", () => {
      this.#world.transcript.note(this.node.id, () => `ready=${readiness.isReady}`);
      this.readiness = readiness;
      this.driver?.setReadiness(readiness);
    });
  }

  /** Lets the process take in an event: now, or when it wakes up, or never if it is no more. */
  run(kind: EventKind, event: () => void): void {
    if (!this.#isRunning) return;
    if (this.#isAsleep) {
      this.#world.checkers.disturbed("waited for a sleeper");
      this.#inbox.push({ kind, run: event });
      return;
    }
    this.#parts.within(this, this.#world, event);
    if (this.#world.violation !== null) throw this.#world.violation;
    if (this.#callsLeft <= 0) return this.#die();
    if (this.#isRunning) this.#world.checkers.stepped(this.node);
  }

  /** Called with each call out of the driver; false if the process has died before it. */
  reach(): boolean {
    this.#callsLeft--;
    return this.#isRunning && this.#callsLeft >= 0;
  }

  /** The process dies at the `count`th call that its driver makes from now on. */
  dieAtCall(count: number, what: Disturbance | null = null): void {
    this.#callsLeft = count;
    this.#deathBy = what;
  }

  end(): void {
    this.#isRunning = false;
    this.#startup.stop();
    this.driver?.stop();
    this.host.ended();
  }

  #die(): void {
    const { checkers } = this.#world;
    if (this.#deathBy !== null) checkers.disturbed(this.#deathBy);
    if (this.#callsLeft < 0) checkers.disturbed("died within a step");
    this.node.crash("process");
  }

  sleep(): void {
    this.#isAsleep = true;
  }

  /** Everything that came meanwhile comes at once; timers first or in order of arrival. */
  wake(): void {
    this.#isAsleep = false;
    this.#wokeMs = this.clock.now();
    const inbox = this.#inbox.splice(0);
    const areTimersFirst = this.node.dice.chance(0.5);
    const timers = inbox.filter(({ kind }) => kind === "timer");
    const ordered = areTimersFirst
      ? [...timers, ...inbox.filter(({ kind }) => kind !== "timer")]
      : inbox;
    for (const { kind, run } of ordered) this.run(kind, run);
  }

  receive(message: Message): void {
    this.run("io", () => {
      this.#world.transcript.note(
        this.node.id,
        () => `<- ${message.from} ${describeMessage(message)}`,
      );
      this.#world.checkers.receiving(this.node, message);
      (this.driver ?? this.#startup).receive(this.#parts.wire(message));
    });
  }

  rpcFailed(failure: RpcFailure): void {
    this.run("io", () => {
      this.#world.transcript.note(this.node.id, () => `${failure.kind} to ${failure.to} failed`);
      (this.driver ?? this.#startup).rpcFailed(failure);
    });
  }

  processGone(peerId: ServerId): void {
    this.run("io", () => {
      this.#world.transcript.note(this.node.id, () => `${peerId} is gone`);
      this.driver?.processGone(peerId);
    });
  }

  #createStartup(): Startup {
    const { id } = this.node;
    const { heartbeatMs, electionMs } = this.#world.plan.timeouts;
    return new Startup(
      {
        id,
        voters: this.node.voters,
        knownMembers: [],
        heartbeatTimeoutMs: heartbeatMs,
        electionTimeoutMs: electionMs,
        firstHeight: this.host.firstHeight,
        readiness: this.readiness,
      },
      {
        clock: this.clock,
        store: this.disk,
        codec,
        send: (message) => this.host.send(message),
        onEvent: (event) => this.host.events([event]),
        onDone: (waiting) => this.#begin(waiting),
        onFailed: (error) => this.host.failed(error),
      },
    );
  }

  #begin(waiting: readonly Message[]): void {
    const { id, store } = this.node;
    const { baseHeight } = store.origin;
    const appliedIndex = this.host.appliedAtBegin(baseHeight);
    this.#world.checkers.begun(this.node, appliedIndex);
    const { timeouts, snapshotEvery, trailingEntries, commitNoticeMs } = this.#world.plan;
    this.driver = new Driver(
      {
        id,
        heartbeatTimeoutMs: timeouts.heartbeatMs,
        electionTimeoutMs: timeouts.electionMs,
        leaderLeaseTimeoutMs: timeouts.leaseMs,
        commitNoticeDelayMs: commitNoticeMs,
        replicationStallMs: replicationStallMs(this.#world.plan),
        appliedIndex,
        snapshotThreshold: snapshotEvery,
        trailingLogs: trailingEntries,
      },
      {
        random: this.node.dice.random,
        codec,
        addressOf: (serverId) => `${serverId}:5001`,
        clock: this.clock,
        store: this.disk,
        host: this.host,
      },
    );
    this.host.begun(appliedIndex, baseHeight);
    this.driver.setReadiness(this.readiness);
    this.driver.start();
    for (const message of waiting) this.driver.receive(message);
  }
}
