/**
 * Raft's core and driver, its log on disk and its port, away from whatever keeps the main thread busy (P13). Started
 * by `Consensus` in a thread of its own; talks to it in `messages.ts`' words.
 */

import { assert, defined, unreachable } from "../base/assert.ts";
import { uninitialisedBytes } from "../base/bytes.ts";
import { entrySizeMaxBytes, replicationStallMinMs, standstillMinMs } from "../base/limits.ts";
import { EventLoopDelay } from "../observability/event-loop-delay.ts";
import type { RaftEvent } from "../raft/event.ts";
import { payloadBytes } from "../raft/log.ts";
import type { ConfigurationCodec } from "../raft/membership.ts";
import type { Message } from "../raft/message.ts";
import type { Entry, Readiness } from "../raft/types.ts";
import { openRaftStore } from "../storage/open-raft-store.ts";
import type { RaftStore } from "../storage/raft-store.ts";
import { decodeConfiguration, encodeConfiguration } from "../transport/configuration.ts";
import { rpcTimeoutMs } from "../transport/deadlines.ts";
import { goTime } from "../transport/go-time.ts";
import { TcpTransport } from "../transport/tcp-transport.ts";
import { advertisedAddressOf } from "./advertised-address.ts";
import { type Clock, Driver, type DriverHost } from "./driver.ts";
import { reportError } from "./error-report.ts";
import { HostWatch } from "./host-watch.ts";
import type {
  CommittedEntry,
  ConsensusOptions,
  ConsensusView,
  FromConsensus,
  Measurements,
  ToConsensus,
} from "./messages.ts";
import { PeerCalls } from "./peer-calls.ts";
import { SharedLease } from "./shared-lease.ts";
import { Startup, waitingRole, waitingStatus } from "./startup.ts";

const measureEveryMs = 200;
/**
 * Followers apply an entry this much later when none comes after it: longer than a commit takes, so that
 * under load none is told of by itself, and well below what a block takes.
 */
const commitNoticeDelayMs = 2;
/** Samples kept between two reports to the main thread; the newest are left out beyond. */
const samplesMax = 10_000;

const codec: ConfigurationCodec = {
  encode: encodeConfiguration,
  decode: ({ data, index }) =>
    decodeConfiguration(defined(data, `configuration entry ${index} has data`)),
};

export interface ConsensusThreadDependencies {
  readonly clock: Clock;
  /** To the main thread, with the ownership of `buffer`. */
  readonly post: (message: FromConsensus, buffer?: ArrayBuffer) => void;
  /** Nothing is posted any more, and nothing taken. */
  readonly ended: () => void;
}

export class ConsensusThread {
  readonly #options: ConsensusOptions;
  readonly #clock: Clock;
  readonly #post: ConsensusThreadDependencies["post"];
  readonly #ended: () => void;
  readonly #lease: SharedLease;
  readonly #peerCalls: PeerCalls;
  readonly #loopDelay = new EventLoopDelay();
  readonly #samples = { fsync: [] as number[], commit: [] as number[] };
  #starting: Promise<void> = Promise.resolve();
  #store: RaftStore | null = null;
  #transport: TcpTransport | null = null;
  #startup: Startup | null = null;
  /** null until there is a log to go on with. */
  #driver: Driver | null = null;
  #isStopped = false;
  /** As the main thread says; while that hangs this node is unready all the same. */
  #readiness: Readiness;
  readonly #hostWatch = new HostWatch({
    isLeading: () => this.#driver?.status.role === "leader",
    hangs: (silentMs) => this.#hostChanged({ kind: "hostHangs", silentMs }),
    goesOn: (hungMs) => this.#hostChanged({ kind: "hostGoesOn", hungMs }),
  });
  #measuring: NodeJS.Timeout | null = null;
  /** Where peers reach this node; null for a single sequencer. */
  #advertised: string | null = null;

  constructor(options: ConsensusOptions, { clock, post, ended }: ConsensusThreadDependencies) {
    this.#options = options;
    this.#clock = clock;
    this.#post = post;
    this.#ended = ended;
    this.#lease = new SharedLease(options.lease);
    this.#peerCalls = new PeerCalls(() => this.#transport, post);
    this.#readiness = options.readiness;
  }

  /** Starts; a failure is told, and ends the thread. */
  begin(): void {
    this.#starting = this.#start().catch(async (error: unknown) => {
      this.fail(error);
      await this.stop();
      this.#ended();
    });
  }

  async #start(): Promise<void> {
    const { raftDir, nodeId, chainId, snapCount, allowVolatile, mapSizeBytes } = this.#options;
    this.#store = await openRaftStore({
      directory: raftDir,
      owner: { nodeId, chainId },
      snapshotsKept: snapCount,
      allowVolatile,
      onDamagedSnapshot: (path, { message: reason }) =>
        this.#postEvents([{ kind: "snapshotDamaged", path, reason }]),
      ...(mapSizeBytes === null ? {} : { fileMaxBytes: mapSizeBytes }),
    });
    this.#transport = await this.#createTransport();
    const startup = this.#createStartup(this.#store);
    this.#startup = startup;
    const listening = (await this.#transport?.start()) ?? null;
    this.#loopDelay.start();
    // Alone it leads all the same.
    if (this.#options.network !== null) this.#hostWatch.start();
    this.#measuring = setInterval(() => {
      this.#post({ kind: "measurements", measurements: this.#measure() });
    }, measureEveryMs);
    this.#post({ kind: "started", listening });
    startup.begin();
  }

  #createStartup(store: RaftStore): Startup {
    return new Startup(
      { ...this.#options, id: this.#options.nodeId },
      {
        clock: this.#clock,
        store,
        codec,
        send: (message) => this.#transport?.send(message),
        onEvent: (event) => {
          this.#post({ kind: "events", events: [{ event, atMs: Date.now() }] });
          if (event.kind === "surveyWaits") this.#post({ kind: "role", report: waitingRole });
        },
        onDone: (waiting) => this.#begin(store, waiting),
        onFailed: (error) => this.fail(error),
      },
    );
  }

  #begin(store: RaftStore, waiting: readonly Message[]): void {
    if (this.#isStopped) return;
    const { baseHeight } = store.origin;
    // Blocks older than this log bear the indexes of another one.
    const isOfThisLog = this.#options.readiness.appliedHeight > baseHeight;
    const appliedIndex = isOfThisLog ? this.#options.appliedIndex : 0;
    this.#driver = this.#createDriver(store, appliedIndex);
    const members = this.#driver.status.configuration.servers.map(({ id }) => id);
    this.#post({ kind: "begun", beginning: { appliedIndex, baseHeight, members } });
    this.#tellReadiness();
    this.#driver.start();
    for (const message of waiting) this.#driver.receive(message);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#startup?.stop();
    this.#driver?.stop();
    if (this.#measuring !== null) clearInterval(this.#measuring);
    this.#hostWatch.stop();
    this.#loopDelay.stop();
    await this.#transport?.stop();
    await this.#store?.close();
  }

  /** From here on nothing is promised to anybody, however long the main thread takes to end the process. */
  fail(error: unknown): void {
    this.#isStopped = true;
    this.#startup?.stop();
    this.#driver?.stop();
    this.#post({ kind: "failed", error: reportError(error) });
  }

  take(message: ToConsensus): void {
    // May come while the start is under way, or after it failed.
    if (message.kind === "stop") {
      this.#end()
        .catch((error: unknown) => this.fail(error))
        .finally(this.#ended);
      return;
    }
    this.#hostWatch.heard();
    const driver = this.#driver;
    switch (message.kind) {
      case "working":
        return;
      case "propose": {
        const { proposalId, term, data } = message;
        if (driver === null) {
          const outcome = { kind: "notLeader", leaderId: null } as const;
          return this.#post({ kind: "proposal", proposalId, outcome });
        }
        return driver.propose(term, { proposalId, data, appendedAt: goTimeNow() });
      }
      case "applied":
        return driver?.applied(message.index);
      case "snapshotTaken":
        return driver?.snapshotTaken(message.snapshot);
      case "readiness":
        this.#readiness = message.readiness;
        return this.#tellReadiness();
      case "transferLeadership":
        return driver?.transferLeadership(message.targetId);
      case "confirmLeadership": {
        const { requestId } = message;
        if (driver === null) return this.#post({ kind: "leadership", requestId, readIndex: null });
        return driver.confirmLeadership(requestId);
      }
      case "status":
        return this.#post({
          kind: "status",
          requestId: message.requestId,
          view: this.#view(),
        });
      case "askPeer":
        return this.#peerCalls.ask(message);
      case "answerPeer":
        return this.#peerCalls.answer(message);
      default:
        return unreachable(message);
    }
  }

  #tellReadiness(): void {
    const isReady = this.#readiness.isReady && !this.#hostWatch.isHung;
    this.#driver?.setReadiness({ ...this.#readiness, isReady });
  }

  #hostChanged(event: RaftEvent): void {
    this.#postEvents([event]);
    this.#tellReadiness();
  }

  /** Waits for a start that is under way, so that nothing is opened behind a stop. */
  async #end(): Promise<void> {
    await this.#starting;
    await this.stop();
    this.#post({ kind: "stopped" });
  }

  async #createTransport(): Promise<TcpTransport | null> {
    const { network } = this.#options;
    if (network === null) return null;
    const peers = new Map(network.peers);
    const advertised = await advertisedAddressOf(this.#options.nodeId, network);
    this.#advertised = advertised;
    return new TcpTransport(
      {
        localId: this.#options.nodeId,
        advertisedAddress: () => advertised,
        listen: { host: network.listenHost, port: network.listenPort },
        peers,
        sendTimeoutMs: this.#options.sendTimeoutMs,
        allowFrom: network.allowFrom,
        chain: network.chain,
      },
      {
        onMessage: (message) => (this.#driver ?? this.#startup)?.receive(message),
        onRpcFailed: (failure) => (this.#driver ?? this.#startup)?.rpcFailed(failure),
        onProcessGone: (peerId) => this.#driver?.processGone(peerId),
        onEvent: (event) => this.#post({ kind: "transport", event, atMs: Date.now() }),
        onExtensionRequest: (request) => this.#peerCalls.asked(request),
      },
    );
  }

  #createDriver(store: RaftStore, appliedIndex: number): Driver {
    const { nodeId: id, network, sendTimeoutMs } = this.#options;
    const appendMaxMs = rpcTimeoutMs("appendEntriesRequest", entrySizeMaxBytes, sendTimeoutMs);
    const replicationStallMs = Math.max(replicationStallMinMs, 3 * appendMaxMs);
    const standstillMs = Math.max(standstillMinMs, 3 * this.#options.blockIntervalMaxMs);
    const limits = { commitNoticeDelayMs, replicationStallMs, standstillMs };
    const addresses = new Map(network?.peers ?? []);
    if (this.#advertised !== null) addresses.set(id, this.#advertised);
    return new Driver(
      { ...this.#options, ...limits, id, appliedIndex },
      {
        clock: this.#clock,
        store,
        codec,
        random: Math.random,
        addressOf: (serverId) => addresses.get(serverId) ?? null,
        host: this.#host(),
      },
    );
  }

  #host(): DriverHost {
    return {
      send: (message) => this.#transport?.send(message),
      committed: (entries, commitIndex) => this.#postCommitted(entries, commitIndex),
      snapshot: ({ last, data }) => this.#post({ kind: "snapshot", ...last, data }),
      snapshotWanted: () => this.#post({ kind: "snapshotWanted" }),
      proposal: (proposalId, outcome) => this.#post({ kind: "proposal", proposalId, outcome }),
      read: (answer) =>
        this.#post({
          kind: "leadership",
          requestId: answer.readId,
          readIndex: answer.kind === "confirmed" ? answer.readIndex : null,
        }),
      role: (report) => this.#post({ kind: "role", report }),
      events: (events) => this.#postEvents(events),
      lease: (term, untilMs) => this.#lease.write(term, untilMs),
      sample: (name, seconds) => {
        const samples = this.#samples[name];
        if (samples.length < samplesMax) samples.push(seconds);
      },
      failed: (error) => this.fail(error),
    };
  }

  #measure(): Measurements {
    const { fsync: fsyncSeconds, commit: commitSeconds } = this.#samples;
    this.#samples.fsync = [];
    this.#samples.commit = [];
    const slowDisk = this.#options.network === null ? null : (this.#driver?.slowDisk ?? null);
    const loopDelay = this.#loopDelay.sample();
    const roundTripsMs = this.#transport?.takeRoundTripsMs() ?? new Map();
    return { ...this.#view(), fsyncSeconds, commitSeconds, roundTripsMs, slowDisk, loopDelay };
  }

  #view(): ConsensusView {
    return {
      status: this.#driver?.status ?? waitingStatus(this.#options.nodeId),
      waitsFor: this.#driver === null ? (this.#startup?.waitsFor ?? null) : null,
      peers: [...(this.#transport?.stats() ?? [])].map(([id, stats]) => ({ id, ...stats })),
    };
  }

  /** A batch crosses in one buffer: a copy, since the log keeps its own. */
  #postCommitted(entries: readonly Entry[], commitIndex: number): void {
    const size = entries.reduce((sum, entry) => sum + (entry.data?.length ?? 0), 0);
    const bytes = entries.reduce((sum, entry) => sum + payloadBytes(entry), 0);
    const buffer = uninitialisedBytes(size);
    let at = 0;
    const crossing = entries.map(({ index, term, kind, data }): CommittedEntry => {
      if (data === null) return { index, term, kind, data: null };
      buffer.set(data, at);
      at += data.length;
      return { index, term, kind, data: buffer.subarray(at - data.length, at) };
    });
    assert(at === size, "the batch fills its buffer");
    const { index: lastIndex } = defined(crossing.at(-1), "a batch has entries");
    this.#post(
      { kind: "committed", entries: crossing, lastIndex, bytes, commitIndex },
      buffer.buffer,
    );
  }

  #postEvents(events: readonly RaftEvent[]): void {
    const atMs = Date.now();
    this.#post({ kind: "events", events: events.map((event) => ({ event, atMs })) });
  }
}

function goTimeNow(): Uint8Array {
  const nowMs = Date.now();
  return goTime(BigInt(Math.floor(nowMs / 1000)), (nowMs % 1000) * 1_000_000);
}
