/**
 * The transport's contract, simulated: a request is answered, or its sender is told that it failed,
 * perhaps late, and perhaps although it was carried out. Connections break, directions are cut, hosts
 * vanish, ports refuse.
 */

import { unreachable } from "../../src/base/assert.ts";
import type { Message, RequestMessage, ResponseMessage } from "../../src/raft/message.ts";
import { failureOf, type RpcFailure } from "../../src/raft/ready.ts";
import type { ServerId } from "../../src/raft/types.ts";
import { backoffMs, rpcTimeoutMs } from "../../src/transport/deadlines.ts";
import { type Call, Connection } from "./connection.ts";
import type { Dice } from "./dice.ts";
import type { Disturbance } from "./disturbance.ts";
import { Lane } from "./lane.ts";
import { Links } from "./links.ts";
import type { World } from "./world.ts";

/** One life of a node, as the network sees it. */
export interface Process {
  readonly nodeId: ServerId;
  readonly isRunning: boolean;
  receive(message: Message): void;
  rpcFailed(failure: RpcFailure): void;
  processGone(peerId: ServerId): void;
}

export type Ending = "process" | "power";

type Purpose = "heartbeat" | "append" | "vote" | "snapshot";

/** Longest pause between attempts to connect, as the transport's. */
const backoffMaxMs: Readonly<Record<Purpose, number>> = {
  heartbeat: 100,
  vote: 100,
  append: 1_000,
  snapshot: 1_000,
};

/** What one process knows of the way to one peer, for one purpose. */
interface Channel {
  readonly from: Process;
  readonly to: ServerId;
  readonly purpose: Purpose;
  connection: RpcConnection | null;
  /** The life of the peer at the other end; null before anything arrived. */
  target: Process | null;
  failures: number;
  dialNotBeforeMs: number;
}

type RpcCall = Call<RequestMessage, ResponseMessage>;
type RpcConnection = Connection<RequestMessage, ResponseMessage>;

interface Served {
  readonly call: RpcCall;
  readonly connection: RpcConnection;
  readonly by: Process;
}

export class Network {
  readonly links = new Links();
  readonly #world: World;
  readonly #dice: Dice;
  readonly #processes = new Map<ServerId, Process>();
  /** Machines without power: nobody there to refuse. */
  readonly #dark = new Set<ServerId>();
  #channels: Channel[] = [];
  /** How many there were on each way: each has dice of its own. */
  readonly #connections = new Map<string, number>();
  readonly #served = new Map<number, Served>();
  #servedId = 0;

  constructor(world: World) {
    this.#world = world;
    this.#dice = world.dice.fork("network");
  }

  started(process: Process): void {
    this.#processes.set(process.nodeId, process);
    this.#dark.delete(process.nodeId);
  }

  /** A dying process closes its sockets; a host without power does not. */
  ended(process: Process, ending: Ending): void {
    this.#processes.delete(process.nodeId);
    if (ending === "power") this.#dark.add(process.nodeId);
    const own = this.#channels.filter(({ from }) => from === process);
    const others = this.#channels.filter(({ target }) => target === process);
    this.#channels = this.#channels.filter(({ from }) => from !== process);
    for (const { connection } of own) connection?.end();
    for (const [id, { by }] of this.#served) if (by === process) this.#served.delete(id);
    if (ending === "power") return;
    for (const { connection, from } of others) {
      this.#later(() => {
        if (!this.links.isCut(process.nodeId, from.nodeId)) connection?.end();
      });
    }
    for (const peer of new Set(others.map(({ from }) => from))) this.#probeSoon(peer, process);
  }

  send(from: Process, message: Message): void {
    switch (message.kind) {
      case "heartbeatRequest":
        return this.#call(from, "heartbeat", message);
      case "appendEntriesRequest":
        return this.#call(from, "append", message);
      case "requestVoteRequest":
      case "requestPreVoteRequest":
      case "timeoutNowRequest":
        return this.#call(from, "vote", message);
      case "installSnapshotRequest":
        return this.#call(from, "snapshot", message);
      default: {
        const served = this.#served.get(message.id);
        if (served === undefined || served.by !== from) return;
        this.#served.delete(message.id);
        served.connection.answer(served.call, message);
      }
    }
  }

  /** The request that `process` answers with a response of this `id`. */
  requestOf(process: Process, id: number): RequestMessage | null {
    const served = this.#served.get(id);
    return served?.by === process ? served.call.request : null;
  }

  /** Some connection breaks. */
  resetOne(dice: Dice): void {
    const open = this.#channels.filter(({ connection }) => connection !== null);
    const channel = dice.pickOrNull(open);
    if (channel === null) return;
    const { from, to, purpose } = channel;
    this.#world.transcript.note("network", () => `reset ${from.nodeId}-${to} ${purpose}`);
    channel.connection?.end();
    if (channel.connection === null) this.#disturbed("connection reset");
  }

  /** A machine without power, where nobody is there to refuse. */
  isDark(id: ServerId): boolean {
    return this.#dark.has(id);
  }

  #disturbed(what: Disturbance): void {
    this.#world.checkers.disturbed(what);
  }

  /** Asked where a message would pass. */
  holds(from: ServerId, to: ServerId, isLarge: boolean): boolean {
    if (isLarge && this.links.isNarrow(from, to)) {
      this.#disturbed("held as too large");
      return true;
    }
    if (!this.links.isCut(from, to)) return false;
    const isOneWay = !this.links.isCut(to, from);
    this.#disturbed(isOneWay ? "held by a cut one way" : "held by a cut");
    return true;
  }

  #call(from: Process, purpose: Purpose, request: RequestMessage): void {
    const channel = this.#channel(from, request.to, purpose);
    if (channel.connection === null) {
      if (this.#world.schedule.nowMs < channel.dialNotBeforeMs) return this.#fail(from, request);
      channel.connection = this.#connect(channel);
    }
    const sizeBytes = sizeOf(request);
    const { sendMs } = this.#world.plan.timeouts;
    const timeoutMs = rpcTimeoutMs(request.kind, sizeBytes, sendMs);
    channel.connection.call(request, { sizeBytes, timeoutMs });
  }

  #channel(from: Process, to: ServerId, purpose: Purpose): Channel {
    const known = this.#channels.find(
      (channel) => channel.from === from && channel.to === to && channel.purpose === purpose,
    );
    if (known !== undefined) return known;
    const fresh = { connection: null, target: null, failures: 0, dialNotBeforeMs: 0 };
    const channel: Channel = { from, to, purpose, ...fresh };
    this.#channels.push(channel);
    return channel;
  }

  #connect(channel: Channel): RpcConnection {
    const { plan, schedule } = this.#world;
    const { from, to, purpose } = channel;
    const { isOrdered } = plan;
    const way = `${from.nodeId} ${to} ${purpose}`;
    const count = (this.#connections.get(way) ?? 0) + 1;
    this.#connections.set(way, count);
    const dice = this.#dice.fork(`${way} ${count}`);
    const conditions = () => this.#world.conditions.network;
    const lane = (a: ServerId, b: ServerId) =>
      new Lane(
        {
          isOrdered,
          conditions,
          holds: (isLarge) => this.holds(a, b, isLarge),
          disturbed: (what) => this.#disturbed(what),
        },
        schedule,
        dice,
      );
    channel.target = null;
    const connection: RpcConnection = new Connection(
      {
        isOrdered,
        duplicateRate: () => conditions().duplicateRate,
      },
      {
        arrived: (call) => this.#arrived(channel, connection, call),
        duplicated: (call) => {
          this.#disturbed("request arrived twice");
          this.#arrived(channel, connection, call);
        },
        answered: (call, answer) => this.#answered(channel, call, answer),
        failed: ({ request }) => this.#fail(from, request),
        ended: (undelivered) => this.#connectionEnded(channel, connection, undelivered),
      },
      { schedule, dice },
      { there: lane(from.nodeId, to), back: lane(to, from.nodeId) },
    );
    return connection;
  }

  #arrived(channel: Channel, connection: RpcConnection, call: RpcCall): void {
    const target = this.#processes.get(channel.to);
    if (target === undefined) {
      // The kernel refuses for a process that is gone; a dark host says nothing.
      const isDark = this.isDark(channel.to);
      this.#disturbed(isDark ? "swallowed by a dark host" : "refused by a dead process");
      if (!isDark) connection.end();
      return;
    }
    if (channel.connection === connection) {
      // The connection was with an earlier life: this one has never heard of it.
      if (channel.target !== null && channel.target !== target) return connection.end();
      channel.target = target;
    }
    this.#serve(target, connection, call);
  }

  #serve(by: Process, connection: RpcConnection, call: RpcCall): void {
    const id = ++this.#servedId;
    this.#served.set(id, { call, connection, by });
    by.receive({ ...call.request, id });
  }

  #answered(channel: Channel, { request }: RpcCall, answer: ResponseMessage): void {
    channel.failures = 0;
    for (const sibling of this.#channels) {
      if (sibling.from === channel.from && sibling.to === channel.to) sibling.dialNotBeforeMs = 0;
    }
    channel.from.receive(withContext(request, answer));
  }

  #connectionEnded(channel: Channel, connection: RpcConnection, undelivered: (() => void)[]): void {
    if (channel.connection === connection) {
      channel.connection = null;
      if (!connection.isProven) {
        channel.failures++;
        const pauseMs = backoffMs(
          channel.failures,
          backoffMaxMs[channel.purpose],
          this.#dice.random(),
        );
        channel.dialNotBeforeMs = this.#world.schedule.nowMs + pauseMs;
      }
    }
    // What the peer's kernel had received already is read, though nobody waits for the answer.
    if (!this.#dice.chance(this.#world.conditions.network.lateRate)) return;
    const { heartbeatMs } = this.#world.plan.timeouts;
    const target = channel.target;
    this.#world.schedule.after(this.#dice.between(0, 2 * heartbeatMs), () => {
      if (target === null || this.#processes.get(channel.to) !== target) return;
      for (const arrive of undelivered) {
        this.#disturbed("request arrived late");
        arrive();
      }
    });
  }

  #fail(from: Process, request: RequestMessage): void {
    const failure = failureOf(request);
    this.#later(() => from.rpcFailed(failure));
  }

  #probeSoon(peer: Process, gone: Process): void {
    if (!this.#dice.chance(this.#world.conditions.network.goneRate)) return;
    this.#later(() => {
      const isRefused = !this.#processes.has(gone.nodeId) && !this.#dark.has(gone.nodeId);
      const { nodeId } = peer;
      const isReached =
        !this.links.isCut(nodeId, gone.nodeId) && !this.links.isCut(gone.nodeId, nodeId);
      if (isRefused && isReached) peer.processGone(gone.nodeId);
    });
  }

  #later(run: () => void): void {
    const { low, high } = this.#world.conditions.network.latencyMs;
    this.#world.schedule.after(this.#dice.between(low, 2 * high), run);
  }
}

/** The wire says neither which request a response answers nor what that proved: the requester knows. */
function withContext(request: RequestMessage, response: ResponseMessage): ResponseMessage {
  const { id } = request;
  switch (response.kind) {
    case "appendEntriesResponse": {
      if (request.kind !== "appendEntriesRequest") break;
      const { prev, entries, sentAtMs } = request;
      const matchIndex = prev.index + entries.length;
      return { ...response, id, matchIndex, prevLogIndex: prev.index, sentAtMs };
    }
    case "heartbeatResponse":
      if (request.kind !== "heartbeatRequest") break;
      return { ...response, id, sentAtMs: request.sentAtMs };
    case "installSnapshotResponse":
      if (request.kind !== "installSnapshotRequest") break;
      return { ...response, id, snapshotIndex: request.snapshot.last.index };
    case "requestVoteResponse":
    case "requestPreVoteResponse":
    case "timeoutNowResponse":
      return { ...response, id };
    default:
      return unreachable(response);
  }
  throw new TypeError(`${response.kind} answers ${request.kind}`);
}

function sizeOf(request: RequestMessage): number {
  if (request.kind === "installSnapshotRequest") return 200 + request.snapshot.data.length;
  if (request.kind !== "appendEntriesRequest") return 200;
  let sizeBytes = 200;
  for (const entry of request.entries) sizeBytes += 80 + (entry.data?.length ?? 0);
  return sizeBytes;
}
