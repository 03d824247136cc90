/**
 * Everything we send to one peer: a connection for each purpose, so that a heartbeat never waits
 * behind a large entry, nor a vote behind a slow disk.
 *
 *   heartbeat   heartbeats only, answered from memory
 *   append      AppendEntries, pipelined
 *   vote        RequestPreVote, RequestVote, TimeoutNow
 *   extension   calls between our own nodes
 *   snapshot    one InstallSnapshot each, closed afterwards, as hashicorp does
 */

import type { Socket } from "node:net";
import { unreachable } from "../base/assert.ts";
import type { Random } from "../base/random.ts";
import type { RequestMessage, ResponseMessage } from "../raft/message.ts";
import { failureOf, type RpcFailure } from "../raft/ready.ts";
import type { ServerId } from "../raft/types.ts";
import type { AddressBook } from "./address-book.ts";
import type { ChannelObserver } from "./call.ts";
import { Channel } from "./channel.ts";
import { CrashDetector } from "./crash-detector.ts";
import { CallTimer, Patience, rpcTimeoutMs } from "./deadlines.ts";
import { type CallFailure, callFailed, isLate, type TransportError } from "./errors.ts";
import type { Purpose, TransportEvent } from "./event.ts";
import type { ExtensionAnswer, ExtensionCall } from "./extension.ts";
import { ExtensionSupport } from "./extension-support.ts";
import type { Identity } from "./fields.ts";
import type { TransportLimits } from "./limits.ts";
import type { MsgpackWriter } from "./msgpack-writer.ts";
import { PeerMeter, type PeerStats } from "./peer-meter.ts";
import { PeerRoutes, type PeerRoutesOptions } from "./peer-routes.ts";
import { encodeExtensionCall, encodeRequest } from "./requests.ts";
import { decodeExtensionAnswer, decodeResponse } from "./responses.ts";

export interface PeerOptions extends PeerRoutesOptions {
  readonly sendTimeoutMs: number;
  readonly limits: TransportLimits;
  readonly random: Random;
}

export interface PeerDependencies {
  readonly addressBook: AddressBook;
  readonly writer: MsgpackWriter;
  readonly identity: () => Identity;
  onResponse(response: ResponseMessage): void;
  onRpcFailed(failure: RpcFailure): void;
  /** The peer has closed a connection: it may be gone. */
  onSuspect(peerId: ServerId): void;
  onProcessGone(peerId: ServerId): void;
  onEvent(event: TransportEvent): void;
  /** Our end of a new connection. */
  onLocalAddress(address: string): void;
}

/** Longest pause between attempts to connect: short where elections wait for it. */
const backoffMaxMs: Readonly<Record<Purpose, number>> = {
  heartbeat: 100,
  vote: 100,
  append: 1_000,
  snapshot: 1_000,
  extension: 1_000,
};

/** Besides its payload an entry takes about this much: keys, numbers, time. */
const entryOverheadBytes = 80;

export class Peer {
  readonly peerId: ServerId;
  readonly #options: PeerOptions;
  readonly #dependencies: PeerDependencies;
  readonly #routes: PeerRoutes;
  readonly #crash: CrashDetector;
  readonly #heartbeat: Channel;
  readonly #append: Channel;
  readonly #vote: Channel;
  readonly #extension: Channel;
  /** The snapshot on its way, if any: one at a time. */
  #snapshot: Channel | null = null;
  /** When the first of the heartbeats that were missed was given up; null if the last one was answered. */
  #missedSinceMs: number | null = null;
  readonly #appendPatience = new Patience();
  readonly #snapshotPatience = new Patience();
  readonly #extensionSupport = new ExtensionSupport();
  readonly #meter = new PeerMeter();
  readonly #counts = { disconnected: 0, dialFailed: 0, rpcRefused: 0 };

  /** Throws a bad-address error. */
  constructor(options: PeerOptions, dependencies: PeerDependencies) {
    this.peerId = options.peerId;
    this.#options = options;
    this.#dependencies = dependencies;
    this.#routes = new PeerRoutes(options, dependencies.addressBook);
    this.#crash = new CrashDetector({
      route: () => this.#routes.proven(),
      onGone: () => this.#processGone(),
    });
    this.#heartbeat = this.#channel("heartbeat");
    this.#append = this.#channel("append");
    this.#vote = this.#channel("vote");
    this.#extension = this.#channel("extension");
  }

  send(request: RequestMessage): void {
    switch (request.kind) {
      case "heartbeatRequest":
        return this.#call(this.#heartbeat, request, 0);
      case "appendEntriesRequest":
        return this.#call(this.#append, request, payloadBytes(request));
      case "requestVoteRequest":
        // Who wins has entries and heartbeats to send at once.
        this.#append.openAhead();
        this.#heartbeat.openAhead();
        return this.#call(this.#vote, request, 0);
      case "requestPreVoteRequest":
      case "timeoutNowRequest":
        return this.#call(this.#vote, request, 0);
      case "installSnapshotRequest":
        return this.#sendSnapshot(request);
      default:
        unreachable(request);
    }
  }

  /** The peer's answer; rejects with a call-failed error `timeoutMs` after the call, or after it last moved. */
  request(call: ExtensionCall, timeoutMs: number): Promise<ExtensionAnswer> {
    if (!this.#extensionSupport.mayAsk(performance.now())) {
      const failure = this.#extensionSupport.isForeign ? "foreignPeer" : "refusedByPeer";
      const reason = "it closes the connection on calls between nodes: it is no ev-sequencer";
      return Promise.reject(this.#failure(failure, reason));
    }
    return new Promise((resolve, reject) => {
      const timer = new CallTimer(timeoutMs, () =>
        reject(this.#failure("timedOut", `no answer within ${timeoutMs} ms`)),
      );
      this.#extension.call({
        timeoutMs,
        sizeBytes: call.body.length,
        encode: () =>
          encodeExtensionCall(this.#dependencies.writer, call, this.#dependencies.identity()),
        onTaken: () => timer.taken(),
        onAnswer: (frame) => {
          const answer = decodeExtensionAnswer(frame, this.peerId);
          this.#meter.answered();
          timer.end();
          this.#extensionSupport.answered();
          if ("error" in answer) reject(this.#failure("refusedByPeer", answer.error));
          else resolve(answer);
        },
        onFailed: (error) => {
          timer.end();
          const { detail } = error;
          const hasHungUp =
            detail.code === "TRANSPORT_CALL_FAILED" && detail.failure === "closedByPeer";
          if (hasHungUp) this.#extensionSupport.hungUp(performance.now());
          reject(error);
        },
      });
    });
  }

  /** A connection from the peer has named itself: the peer is there. */
  inboundConnected(): void {
    this.#crash.connected();
    this.#extensionSupport.connected();
    for (const channel of this.#channels()) channel.endBackoff();
    // It may have been away, and we sent no heartbeats that would have shown it.
    const limitMs = 4 * this.#options.sendTimeoutMs;
    const sinceMs = performance.now() - limitMs;
    this.#extension.dropStuck("stuck since before the peer connected again", sinceMs, limitMs);
  }

  /** There may be an election soon. */
  expectCampaign(): void {
    this.#vote.openAhead();
  }

  inboundLost(): void {
    this.#lost(true);
  }

  stats(): PeerStats {
    return this.#meter.stats(this.#heartbeat.isOpen || this.#append.isOpen || this.#vote.isOpen);
  }

  takeRoundTripsMs(): readonly number[] {
    return this.#meter.takeRoundTripsMs();
  }

  close(failure: CallFailure): void {
    this.#crash.stop();
    for (const channel of this.#channels()) channel.close(failure);
    this.#snapshot?.close(failure);
  }

  #call(channel: Channel, request: RequestMessage, sizeBytes: number): void {
    const { writer, identity } = this.#dependencies;
    const timeoutMs = rpcTimeoutMs(request.kind, sizeBytes, this.#options.sendTimeoutMs);
    const isAppend = request.kind === "appendEntriesRequest";
    channel.call({
      timeoutMs: isAppend ? this.#appendPatience.timeoutMs(timeoutMs) : timeoutMs,
      sizeBytes,
      encode: () => encodeRequest(writer, request, identity()),
      onAnswer: (frame, elapsedMs) => {
        if (isAppend) this.#appendPatience.answered();
        this.#onAnswer(request, frame, elapsedMs);
      },
      onFailed: (error) => {
        // What was under way together is late together.
        if (isAppend && isLate(error)) this.#appendPatience.late(this.#counts.disconnected);
        this.#onFailed(request, error);
      },
    });
  }

  #sendSnapshot(request: Extract<RequestMessage, { kind: "installSnapshotRequest" }>): void {
    if (this.#snapshot !== null) {
      const failed = () =>
        this.#onFailed(request, this.#failure("queueFull", "one snapshot at a time"));
      return process.nextTick(failed);
    }
    const channel = this.#channel("snapshot");
    this.#snapshot = channel;
    const end = () => {
      channel.close("closed");
      if (this.#snapshot === channel) this.#snapshot = null;
    };
    const { writer, identity } = this.#dependencies;
    const sizeBytes = request.snapshot.data.length;
    channel.call({
      timeoutMs: rpcTimeoutMs(request.kind, sizeBytes, this.#options.sendTimeoutMs),
      sizeBytes,
      encode: () => encodeRequest(writer, request, identity()),
      onAnswer: (frame, elapsedMs) => {
        this.#snapshotPatience.answered();
        this.#onAnswer(request, frame, elapsedMs);
        end();
      },
      onFailed: (error) => {
        if (isLate(error)) this.#snapshotPatience.late(this.#counts.disconnected);
        end();
        this.#onFailed(request, error);
      },
    });
  }

  #onAnswer(request: RequestMessage, frame: Uint8Array, elapsedMs: number): void {
    const answer = decodeResponse(frame, request, this.#dependencies.identity().chain);
    this.#meter.answered();
    if (request.kind === "heartbeatRequest") this.#meter.roundTrip(elapsedMs);
    if (answer.kind === "message") return this.#dependencies.onResponse(answer.message);
    const { error } = answer;
    this.#counts.rpcRefused++;
    this.#dependencies.onEvent({
      kind: "rpcRefused",
      peerId: this.peerId,
      request: request.kind,
      error,
      count: this.#counts.rpcRefused,
    });
    this.#onFailed(request, this.#failure("refusedByPeer", error));
  }

  #onFailed(request: RequestMessage, error: TransportError): void {
    this.#meter.failed(error.message);
    this.#dependencies.onRpcFailed(failureOf(request));
  }

  #channel(purpose: Purpose): Channel {
    const { peerId, sendTimeoutMs, limits, random } = this.#options;
    const options = {
      peerId,
      dialTimeoutMs: sendTimeoutMs,
      backoffMaxMs: backoffMaxMs[purpose],
      limits,
      random,
    };
    return new Channel(options, this.#observer(purpose));
  }

  #observer(purpose: Purpose): ChannelObserver {
    const { peerId } = this;
    const { onEvent, onLocalAddress } = this.#dependencies;
    return {
      route: () => this.#routes.next(),
      onOpen: (socket: Socket, address) => {
        this.#routes.connected(address);
        this.#crash.connected();
        if (socket.localAddress !== undefined) onLocalAddress(socket.localAddress);
      },
      onUsed: (address) => onEvent({ kind: "connected", peerId, purpose, address }),
      onProven: () => this.#onProven(purpose),
      onLost: (reason, isByPeer, wasUsed) => {
        if (purpose === "heartbeat" && !isByPeer) this.#missedSinceMs ??= performance.now();
        if (!isByPeer) this.#routes.lookUp();
        if (wasUsed) {
          this.#counts.disconnected++;
          const count = this.#counts.disconnected;
          onEvent({ kind: "disconnected", peerId, purpose, reason, count });
        }
        this.#lost(isByPeer);
      },
      onDialFailed: ({ address, reason, isRefused, retryInMs }) => {
        this.#counts.dialFailed++;
        const count = this.#counts.dialFailed;
        onEvent({ kind: "dialFailed", peerId, purpose, address, reason, retryInMs, count });
        this.#routes.dialFailed();
        // That another of its addresses refuses says nothing: "localhost" has two, and a peer listens on one.
        if (isRefused && this.#routes.isProven(address)) this.#crash.refused();
      },
      onTraffic: (sentBytes, receivedBytes) => this.#meter.traffic(sentBytes, receivedBytes),
    };
  }

  /** The peer serves us on one connection: the others need not wait to try. */
  #onProven(purpose: Purpose): void {
    for (const channel of this.#channels()) channel.endBackoff();
    if (purpose !== "heartbeat" || this.#missedSinceMs === null) return;
    const { sendTimeoutMs } = this.#options;
    // What was on its way when the network went away has arrived in half the time that a heartbeat has.
    const sinceMs = this.#missedSinceMs - sendTimeoutMs / 2;
    this.#missedSinceMs = null;
    // The network was away, and TCP on an older connection may not try again for seconds yet. What has moved meanwhile
    // goes on; what waits for a slow disk only is younger, or is sent again at little cost, with more time each time.
    const limitMs = 4 * sendTimeoutMs;
    const reason = "stuck since before the heartbeats were back";
    this.#vote.dropStuck(reason, sinceMs, limitMs);
    this.#append.dropStuck(reason, sinceMs, this.#appendPatience.timeoutMs(limitMs));
    this.#snapshot?.dropStuck(reason, sinceMs, this.#snapshotPatience.timeoutMs(limitMs));
  }

  #lost(isByPeer: boolean): void {
    if (isByPeer) this.#dependencies.onSuspect(this.peerId);
    this.#crash.lost(isByPeer);
  }

  #processGone(): void {
    const { peerId } = this;
    this.#dependencies.onEvent({ kind: "processGone", peerId });
    this.#dependencies.onProcessGone(peerId);
  }

  #channels(): readonly Channel[] {
    return [this.#heartbeat, this.#append, this.#vote, this.#extension];
  }

  #failure(failure: CallFailure, reason: string): TransportError {
    return callFailed(this.peerId, failure, `no answer from ${this.peerId}: ${reason}`);
  }
}

function payloadBytes(request: Extract<RequestMessage, { kind: "appendEntriesRequest" }>): number {
  let bytes = 0;
  for (const entry of request.entries) bytes += entryOverheadBytes + (entry.data?.length ?? 0);
  return bytes;
}
