/**
 * The consensus thread: Raft's core and driver, its log on disk and its port, away from whatever
 * keeps the main thread busy (P13). Started by `Consensus`; talks to it in `messages.ts`' words.
 */

import { setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { assert, defined, unreachable } from "../base/assert.ts";
import { EventLoopDelay } from "../observability/event-loop-delay.ts";
import type { RaftEvent } from "../raft/event.ts";
import { payloadBytes } from "../raft/log.ts";
import type { ConfigurationCodec } from "../raft/membership.ts";
import type { Entry, Readiness } from "../raft/types.ts";
import { openRaftStore } from "../storage/open-raft-store.ts";
import type { RaftStore } from "../storage/raft-store.ts";
import { decodeConfiguration, encodeConfiguration } from "../transport/configuration.ts";
import { TransportError } from "../transport/errors.ts";
import { goTime } from "../transport/go-time.ts";
import { TcpTransport } from "../transport/tcp-transport.ts";
import { advertisedAddressOf } from "./advertised-address.ts";
import { type Clock, Driver, type DriverHost } from "./driver.ts";
import { reportError } from "./error-report.ts";
import type {
  CommittedEntry,
  ConsensusOptions,
  ConsensusView,
  FromConsensus,
  Measurements,
  ToConsensus,
} from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { monotonicMs, SharedLease } from "./shared-lease.ts";
import { Startup, waitingRole, waitingStatus } from "./startup.ts";

const port = defined(parentPort, "this module runs as a worker thread");
// Structured clone carries the options as they are: both sides are of one build.
const options = workerData as ConsensusOptions;

const outbox = new Outbox<FromConsensus>((batch, buffers) => port.postMessage(batch, buffers));

const measureEveryMs = 200;
/**
 * Followers apply an entry this much later when none comes after it: longer than a commit takes, so that
 * under load none is told of by itself, and well below what a block takes.
 */
const commitNoticeDelayMs = 2;
/** Half-way between the normal priority and the highest. */
const threadNice = -10;
/** Samples kept between two reports to the main thread; the newest are left out beyond. */
const samplesMax = 10_000;

const codec: ConfigurationCodec = {
  encode: encodeConfiguration,
  decode: ({ data, index }) =>
    decodeConfiguration(defined(data, `configuration entry ${index} has data`)),
};

const clock: Clock = {
  now: monotonicMs,
  at: (atMs, callback) => {
    // The port keeps the thread alive; once it is closed no timer may hold up the end.
    setTimeout(callback, Math.max(0, Math.ceil(atMs - monotonicMs()))).unref();
  },
  soon: (callback) => {
    setImmediate(callback);
  },
};

class ConsensusThread {
  readonly #lease = new SharedLease(options.lease);
  readonly #loopDelay = new EventLoopDelay();
  readonly #samples = { fsync: [] as number[], commit: [] as number[] };
  readonly #peerRequests = new Map<number, (status: number, body: Uint8Array) => void>();
  #nextPeerRequest = 0;
  #starting: Promise<void> = Promise.resolve();
  #store: RaftStore | null = null;
  #transport: TcpTransport | null = null;
  #startup: Startup | null = null;
  /** null until there is a log to go on with. */
  #driver: Driver | null = null;
  #isStopped = false;
  #readiness: Readiness = options.readiness;
  #measuring: NodeJS.Timeout | null = null;
  /** Where peers reach this node; null for a single sequencer. */
  #advertised: string | null = null;

  /** Starts; a failure is told, and ends the thread. */
  begin(): void {
    this.#starting = this.#start().catch(async (error: unknown) => {
      this.fail(error);
      await this.stop();
      closePort();
    });
  }

  async #start(): Promise<void> {
    this.#store = await openRaftStore({
      directory: options.raftDir,
      owner: { nodeId: options.nodeId, chainId: options.chainId },
      snapshotsKept: options.snapCount,
      allowVolatile: options.allowVolatile,
      onDamagedSnapshot: (path, { message: reason }) =>
        postEvents([{ kind: "snapshotDamaged", path, reason }]),
      ...(options.mapSizeBytes === null ? {} : { fileMaxBytes: options.mapSizeBytes }),
    });
    this.#transport = await this.#createTransport();
    const startup = this.#createStartup(this.#store);
    this.#startup = startup;
    const listening = (await this.#transport?.start()) ?? null;
    this.#loopDelay.start();
    this.#measuring = setInterval(() => {
      post({ kind: "measurements", measurements: this.#measure() });
    }, measureEveryMs);
    post({ kind: "started", listening });
    startup.begin();
  }

  #createStartup(store: RaftStore): Startup {
    return new Startup(
      { ...options, id: options.nodeId },
      {
        clock,
        store,
        codec,
        send: (message) => this.#transport?.send(message),
        onEvent: (event) => {
          post({ kind: "events", events: [{ event, atMs: Date.now() }] });
          if (event.kind === "surveyWaits") post({ kind: "role", report: waitingRole });
        },
        onDone: () => this.#begin(store),
        onFailed: (error) => this.fail(error),
      },
    );
  }

  #begin(store: RaftStore): void {
    if (this.#isStopped) return;
    const { baseHeight } = store.origin;
    // Blocks older than this log bear the indexes of another one.
    const isOfThisLog = options.readiness.appliedHeight > baseHeight;
    const appliedIndex = isOfThisLog ? options.appliedIndex : 0;
    this.#driver = this.#createDriver(store, appliedIndex);
    post({ kind: "begun", beginning: { appliedIndex, baseHeight } });
    this.#driver.setReadiness(this.#readiness);
    this.#driver.start();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#startup?.stop();
    this.#driver?.stop();
    if (this.#measuring !== null) clearInterval(this.#measuring);
    this.#loopDelay.stop();
    await this.#transport?.stop();
    await this.#store?.close();
  }

  /** From here on nothing is promised to anybody, however long the main thread takes to end the process. */
  fail(error: unknown): void {
    this.#isStopped = true;
    this.#startup?.stop();
    this.#driver?.stop();
    post({ kind: "failed", error: reportError(error) });
  }

  take(message: ToConsensus): void {
    // May come while the start is under way, or after it failed.
    if (message.kind === "stop") {
      this.#end()
        .catch((error: unknown) => this.fail(error))
        .finally(closePort);
      return;
    }
    const driver = this.#driver;
    switch (message.kind) {
      case "propose": {
        const { proposalId, term, data } = message;
        if (driver === null) {
          const outcome = { kind: "notLeader", leaderId: null } as const;
          return post({ kind: "proposal", proposalId, outcome });
        }
        return driver.propose(term, { proposalId, data, appendedAt: goTimeNow() });
      }
      case "applied":
        return driver?.applied(message.index);
      case "snapshotTaken":
        return driver?.snapshotTaken(message.snapshot);
      case "readiness":
        this.#readiness = message.readiness;
        return driver?.setReadiness(message.readiness);
      case "transferLeadership":
        return driver?.transferLeadership(message.targetId);
      case "confirmLeadership": {
        const { requestId } = message;
        if (driver === null) return post({ kind: "leadership", requestId, readIndex: null });
        return driver.confirmLeadership(requestId);
      }
      case "status":
        return post({
          kind: "status",
          requestId: message.requestId,
          view: this.#view(),
        });
      case "askPeer":
        this.#askPeer(message);
        return;
      case "answerPeer":
        this.#peerRequests.get(message.requestId)?.(message.status, message.body);
        this.#peerRequests.delete(message.requestId);
        return;
      default:
        return unreachable(message);
    }
  }

  /** Waits for a start that is under way, so that nothing is opened behind a stop. */
  async #end(): Promise<void> {
    await this.#starting;
    await this.stop();
    post({ kind: "stopped" });
  }

  async #createTransport(): Promise<TcpTransport | null> {
    const { network } = options;
    if (network === null) return null;
    const peers = new Map(network.peers);
    const advertised = await advertisedAddressOf(options.nodeId, network);
    this.#advertised = advertised;
    return new TcpTransport(
      {
        localId: options.nodeId,
        advertisedAddress: () => advertised,
        listen: { host: network.listenHost, port: network.listenPort },
        peers,
        sendTimeoutMs: options.sendTimeoutMs,
        allowFrom: network.allowFrom,
      },
      {
        onMessage: (message) => (this.#driver ?? this.#startup)?.receive(message),
        onRpcFailed: (failure) => (this.#driver ?? this.#startup)?.rpcFailed(failure),
        onProcessGone: (peerId) => this.#driver?.processGone(peerId),
        onEvent: (event) => post({ kind: "transport", event, atMs: Date.now() }),
        onExtensionRequest: ({ from, method, body, respond }) => {
          const requestId = ++this.#nextPeerRequest;
          this.#peerRequests.set(requestId, respond);
          post({ kind: "peerAsks", requestId, peerId: from, method, body });
        },
      },
    );
  }

  #createDriver(store: RaftStore, appliedIndex: number): Driver {
    const { nodeId: id, network } = options;
    const addresses = new Map(network?.peers ?? []);
    if (this.#advertised !== null) addresses.set(id, this.#advertised);
    return new Driver(
      { ...options, id, appliedIndex, commitNoticeDelayMs },
      {
        clock,
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
      committed: postCommitted,
      snapshot: ({ last, data }) => post({ kind: "snapshot", ...last, data }),
      snapshotWanted: () => post({ kind: "snapshotWanted" }),
      proposal: (proposalId, outcome) => post({ kind: "proposal", proposalId, outcome }),
      read: (answer) =>
        post({
          kind: "leadership",
          requestId: answer.readId,
          readIndex: answer.kind === "confirmed" ? answer.readIndex : null,
        }),
      role: (report) => post({ kind: "role", report }),
      events: postEvents,
      lease: (term, untilMs) => this.#lease.write(term, untilMs),
      sample: (name, seconds) => {
        const samples = this.#samples[name];
        if (samples.length < samplesMax) samples.push(seconds);
      },
      failed: (error) => this.fail(error),
    };
  }

  #askPeer({
    requestId,
    peerId,
    method,
    body,
    timeoutMs,
  }: ToConsensus & { kind: "askPeer" }): void {
    const answer = (outcome: (FromConsensus & { kind: "peerAnswered" })["answer"]) =>
      post({ kind: "peerAnswered", requestId, answer: outcome });
    if (this.#transport === null) {
      return answer({ kind: "failed", reason: "there are no peers", isForeign: false });
    }
    this.#transport.request(peerId, method, body, { timeoutMs }).then(
      (reply) => answer({ kind: "answered", ...reply }),
      (error: Error) =>
        answer({ kind: "failed", reason: error.message, isForeign: isOfForeignPeer(error) }),
    );
  }

  #measure(): Measurements {
    const { fsync: fsyncSeconds, commit: commitSeconds } = this.#samples;
    this.#samples.fsync = [];
    this.#samples.commit = [];
    const slowDisk = options.network === null ? null : (this.#driver?.slowDisk ?? null);
    const loopDelay = this.#loopDelay.sample();
    return { ...this.#view(), fsyncSeconds, commitSeconds, slowDisk, loopDelay };
  }

  #view(): ConsensusView {
    return {
      status: this.#driver?.status ?? waitingStatus(options.nodeId),
      waitsFor: this.#driver === null ? (this.#startup?.waitsFor ?? null) : null,
      peers: [...(this.#transport?.stats() ?? [])].map(([id, stats]) => ({ id, ...stats })),
    };
  }
}

/** A batch crosses in one buffer: a copy, since the log keeps its own. */
function postCommitted(entries: readonly Entry[], commitIndex: number): void {
  const size = entries.reduce((sum, entry) => sum + (entry.data?.length ?? 0), 0);
  const bytes = entries.reduce((sum, entry) => sum + payloadBytes(entry), 0);
  const buffer = new Uint8Array(size);
  let at = 0;
  const crossing = entries.map(({ index, term, kind, data }): CommittedEntry => {
    if (data === null) return { index, term, kind, data: null };
    buffer.set(data, at);
    at += data.length;
    return { index, term, kind, data: buffer.subarray(at - data.length, at) };
  });
  assert(at === size, "the batch fills its buffer");
  const { index: lastIndex } = defined(crossing.at(-1), "a batch has entries");
  outbox.post(
    { kind: "committed", entries: crossing, lastIndex, bytes, commitIndex },
    buffer.buffer,
  );
}

function postEvents(events: readonly RaftEvent[]): void {
  const atMs = Date.now();
  post({ kind: "events", events: events.map((event) => ({ event, atMs })) });
}

function isOfForeignPeer(error: Error): boolean {
  if (!(error instanceof TransportError)) return false;
  const { detail } = error;
  return detail.code === "TRANSPORT_CALL_FAILED" && detail.failure === "foreignPeer";
}

function goTimeNow(): Uint8Array {
  const nowMs = Date.now();
  return goTime(BigInt(Math.floor(nowMs / 1000)), (nowMs % 1000) * 1_000_000);
}

function post(message: FromConsensus): void {
  outbox.post(message);
}

function closePort(): void {
  outbox.flush();
  port.close();
}

/**
 * Heartbeats must not wait behind block execution for a processor. Linux gives threads priorities of
 * their own; without the right to raise one (LimitNICE, CAP_SYS_NICE) it stays as it is.
 */
function raisePriority(): void {
  try {
    setPriority(threadNice);
  } catch {
    // Not permitted: everything works, only with less room on a busy machine.
  }
}

const thread = new ConsensusThread();
raisePriority();
process.on("uncaughtException", (error) => thread.fail(error));
port.on("message", (batch: readonly ToConsensus[]) => {
  try {
    for (const message of batch) thread.take(message);
  } catch (error) {
    thread.fail(error);
  }
});
thread.begin();
