/**
 * The listening side: lets in the members' addresses, within limits, and gives the core's responses
 * to the connections they belong to. Everybody else costs one event.
 */

import { createServer, type Server as NetServer, type Socket } from "node:net";
import { assert } from "../base/assert.ts";
import type { RequestMessage, ResponseMessage } from "../raft/message.ts";
import type { ServerId } from "../raft/types.ts";
import { type Endpoint, formatEndpoint, plainIp } from "./address.ts";
import type { AddressBook } from "./address-book.ts";
import { SlotTable } from "./answer-queue.ts";
import { listenFailed } from "./errors.ts";
import type { InboundEnd, TransportEvent } from "./event.ts";
import type { ExtensionAnswer, ExtensionCall } from "./extension.ts";
import type { Identity } from "./fields.ts";
import {
  InboundConnection,
  type InboundDependencies,
  type InboundEndKind,
  type Sender,
} from "./inbound-connection.ts";
import type { TransportLimits } from "./limits.ts";
import type { MsgpackWriter } from "./msgpack-writer.ts";
import { encodeExtensionAnswer, encodeRefusal, encodeResponse } from "./responses.ts";
import { closeSoon, socketOptions } from "./socket.ts";

export interface ServerOptions {
  readonly localId: ServerId;
  readonly listen: Endpoint;
  readonly chain: Uint8Array | null;
  readonly limits: TransportLimits;
}

export interface ServerDependencies {
  readonly addressBook: AddressBook;
  readonly writer: MsgpackWriter;
  readonly identity: () => Identity;
  /** Who sent a request, by the names in its header. */
  identify(id: string, address: string): Sender;
  onRequest(request: RequestMessage): void;
  onExtension(
    peerId: ServerId,
    call: ExtensionCall,
    respond: (answer: ExtensionAnswer) => void,
  ): void;
  onInboundConnected(peerId: ServerId): void;
  onInboundLost(peerId: ServerId): void;
  onEvent(event: TransportEvent): void;
}

/** The request that each response answers. */
const requestKinds: Readonly<Record<ResponseMessage["kind"], RequestMessage["kind"]>> = {
  appendEntriesResponse: "appendEntriesRequest",
  heartbeatResponse: "heartbeatRequest",
  requestVoteResponse: "requestVoteRequest",
  requestPreVoteResponse: "requestPreVoteRequest",
  installSnapshotResponse: "installSnapshotRequest",
  timeoutNowResponse: "timeoutNowRequest",
};

export class Server {
  readonly #options: ServerOptions;
  readonly #dependencies: ServerDependencies;
  readonly #server: NetServer;
  /** What connections need: one object for all of them. */
  readonly #inbound: InboundDependencies;
  readonly #sockets = new Set<Socket>();
  readonly #perAddress = new Map<string, number>();
  readonly #connections = new Set<InboundConnection>();
  readonly #slots = new SlotTable();
  readonly #ended = new Map<InboundEndKind, number>();
  #snapshots = 0;
  #progressTimer: NodeJS.Timeout | null = null;
  #isStopped = false;

  constructor(options: ServerOptions, dependencies: ServerDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#inbound = this.#inboundDependencies();
    this.#server = createServer(socketOptions, (socket) => this.#accept(socket));
  }

  /** Where it really listens. Throws a transport error with advice. */
  async listen(): Promise<Endpoint> {
    const { host, port } = this.#options.listen;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error) =>
        reject(listenFailed(formatEndpoint(this.#options.listen), error)),
      );
      // Without a host Node listens on all addresses, of whatever families the machine has.
      this.#server.listen(host === "" ? { port } : { host, port }, resolve);
    });
    // Accepting may fail for a moment; the next one is tried again.
    this.#server.on("error", ({ message: reason }) =>
      this.#dependencies.onEvent({ kind: "acceptFailed", reason }),
    );
    const { stallTimeoutMs } = this.#options.limits;
    this.#progressTimer = setInterval(() => this.#checkProgress(), stallTimeoutMs / 4);
    this.#progressTimer.unref();
    const address = this.#server.address();
    assert(address !== null && typeof address === "object", "a TCP server has an address");
    return { host: address.address, port: address.port };
  }

  /** Answers the request that `response.id` names; nothing happens if its connection is gone. */
  respond(response: ResponseMessage): void {
    const slot = this.#slots.find(response.id);
    if (slot === null) return;
    assert(slot.request === requestKinds[response.kind], "a response answers its own kind", {
      request: slot.request,
      response: response.kind,
    });
    const { writer, identity } = this.#dependencies;
    slot.queue.answer(slot, encodeResponse(writer, response, identity()));
  }

  /** Ends the connections of those for whom `isMember` is false. */
  closeStrangers(isMember: (peerId: ServerId) => boolean): void {
    for (const connection of this.#connections) {
      const { peerId } = connection;
      if (peerId !== null && !isMember(peerId)) {
        connection.end("strangerRefused", `${peerId} was removed from the configured peers`);
      }
    }
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    if (this.#progressTimer !== null) clearInterval(this.#progressTimer);
    for (const connection of this.#connections) connection.close("stopping");
    for (const socket of this.#sockets) closeSoon(socket);
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    const remoteAddress = plainIp(socket.remoteAddress ?? "");
    // Until the connection is let in nobody else listens, and an unheard error would end the process.
    socket.on("error", () => {});
    if (this.#isStopped || remoteAddress === "") return void socket.destroy(); // gone already
    const { limits } = this.#options;
    const fromThere = this.#perAddress.get(remoteAddress) ?? 0;
    if (this.#sockets.size >= limits.inboundConnectionsMax) {
      return this.#turnAway(socket, remoteAddress, "tooManyConnections", "in all");
    }
    if (fromThere >= limits.inboundPerAddressMax) {
      return this.#turnAway(socket, remoteAddress, "tooManyConnections", "from this address");
    }
    this.#sockets.add(socket);
    this.#perAddress.set(remoteAddress, fromThere + 1);
    socket.once("close", () => this.#closed(socket, remoteAddress));
    if (this.#dependencies.addressBook.isAllowed(remoteAddress)) {
      return this.#letIn(socket, remoteAddress);
    }
    // A peer's name may lead elsewhere by now.
    void this.#dependencies.addressBook.refresh().then(() => {
      if (this.#isStopped || socket.destroyed) return;
      if (this.#dependencies.addressBook.isAllowed(remoteAddress)) {
        return this.#letIn(socket, remoteAddress);
      }
      this.#turnAway(
        socket,
        remoteAddress,
        "strangerRefused",
        "no configured peer has this address; raft.allow_from can add it",
      );
    });
  }

  #letIn(socket: Socket, remoteAddress: string): void {
    this.#connections.add(new InboundConnection(socket, remoteAddress, this.#inbound));
  }

  #turnAway(socket: Socket, remoteAddress: string, kind: InboundEndKind, reason: string): void {
    socket.destroy();
    this.#report({ remoteAddress, peerId: null, requests: 0 }, kind, reason);
  }

  #closed(socket: Socket, remoteAddress: string): void {
    this.#sockets.delete(socket);
    const left = (this.#perAddress.get(remoteAddress) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(remoteAddress, left);
    else this.#perAddress.delete(remoteAddress);
  }

  #checkProgress(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) connection.checkProgress(nowMs);
  }

  #report(
    connection: Pick<InboundConnection, "remoteAddress" | "peerId" | "requests">,
    kind: InboundEndKind,
    reason: string,
  ): void {
    const count = (this.#ended.get(kind) ?? 0) + 1;
    this.#ended.set(kind, count);
    const { remoteAddress, peerId, requests } = connection;
    const event: InboundEnd =
      kind === "inboundClosed"
        ? { kind, remoteAddress, peerId, reason, count, requests }
        : { kind, remoteAddress, peerId, reason, count };
    this.#dependencies.onEvent(event);
  }

  #inboundDependencies(): InboundDependencies {
    const { writer, identity } = this.#dependencies;
    return {
      limits: this.#options.limits,
      localId: this.#options.localId,
      chain: this.#options.chain,
      slots: this.#slots,
      identify: (id, address) => this.#dependencies.identify(id, address),
      beginSnapshot: () => {
        if (this.#snapshots >= this.#options.limits.inboundSnapshotsMax) return false;
        this.#snapshots++;
        return true;
      },
      endSnapshot: () => {
        this.#snapshots--;
      },
      encodeRefusal: (error) => encodeRefusal(writer, error),
      encodeExtensionAnswer: (answer) => encodeExtensionAnswer(writer, answer, identity()),
      onIdentified: ({ remoteAddress }, peerId) => {
        this.#dependencies.onInboundConnected(peerId);
        this.#dependencies.onEvent({ kind: "inboundConnected", peerId, remoteAddress });
      },
      onMessage: (request) => this.#dependencies.onRequest(request),
      onExtension: (peerId, call, respond) => this.#dependencies.onExtension(peerId, call, respond),
      onEnd: (connection, kind, reason) => {
        this.#connections.delete(connection);
        this.#report(connection, kind, reason);
        if (!this.#isStopped && kind === "inboundClosed" && connection.peerId !== null) {
          this.#dependencies.onInboundLost(connection.peerId);
        }
      },
    };
  }
}
