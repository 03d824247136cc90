/**
 * The Raft port: messages of the core to and from the other members, over hashicorp/raft's TCP
 * protocol. It decides nothing; what it cannot deliver it reports, and the core tries again.
 */

import { lookup as dnsLookup } from "node:dns/promises";
import type { Random } from "../base/random.ts";
import type { Message, ResponseMessage } from "../raft/message.ts";
import { failureOf, type RpcFailure } from "../raft/ready.ts";
import type { ServerId } from "../raft/types.ts";
import { type Endpoint, isWildcard, parseEndpoint, plainIp } from "./address.ts";
import { AddressBook, type Lookup } from "./address-book.ts";
import { callFailed } from "./errors.ts";
import type { TransportEvent } from "./event.ts";
import type { ExtensionAnswer, ExtensionRequest } from "./extension.ts";
import { type Identity, identityOf } from "./fields.ts";
import type { Sender } from "./inbound-connection.ts";
import { defaultLimits, type TransportLimits } from "./limits.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";
import { Peer } from "./peer.ts";
import type { PeerStats } from "./peer-meter.ts";
import { Server } from "./server.ts";

export type { ExtensionAnswer, ExtensionRequest, PeerStats, TransportEvent };

export interface TransportOptions {
  readonly localId: ServerId;
  /**
   * What the headers of our messages say, never a wildcard; asked whenever one is encoded. It may be
   * empty until the first connection to a peer is open: only responses are sent before, and nobody
   * reads their header.
   */
  readonly advertisedAddress: () => string;
  /** Port 0 for any that is free. */
  readonly listen: Endpoint;
  /** Address by `node_id`, from the local configuration; this node's own entry is no peer. */
  readonly peers: ReadonlyMap<ServerId, string>;
  /** `raft.send_timeout`: what it means for each RPC is in deadlines.ts. */
  readonly sendTimeoutMs: number;
  /** IP addresses and CIDR ranges that may connect besides the peers (`raft.allow_from`). */
  readonly allowFrom: readonly string[];
  /** Lets in nodes older than hashicorp/raft v1.3.7, which do not say their id: their address must be a peer's. */
  readonly allowUnnamedPeers?: boolean;
  readonly limits?: Partial<TransportLimits>;
  /**
   * Names the chain in what is sent, and refuses requests that name another. Without it, and to peers that name none,
   * all members are of one chain.
   */
  readonly chain?: Uint8Array;
  /** For jitter. */
  readonly random?: Random;
  readonly lookup?: Lookup;
}

export interface TransportHandlers {
  /** A request from a peer, or the response to one of ours. */
  onMessage(message: Message): void;
  /** A request that will not be answered. Never called within `send`. */
  onRpcFailed(failure: RpcFailure): void;
  /** The peer's process is gone (P10). */
  onProcessGone(peerId: ServerId): void;
  onExtensionRequest(request: ExtensionRequest): void;
  onEvent(event: TransportEvent): void;
}

export class TcpTransport {
  readonly #options: TransportOptions;
  readonly #handlers: TransportHandlers;
  readonly #limits: TransportLimits;
  readonly #writer = new MsgpackWriter();
  readonly #addressBook: AddressBook;
  readonly #server: Server;
  #peers = new Map<ServerId, Peer>();
  #addresses: ReadonlyMap<ServerId, string> = new Map();
  #identity: { readonly address: string; readonly identity: Identity } | null = null;
  #outboundLocalAddress: string | null = null;
  #isStopped = false;

  /** Throws a transport error if a peer's address or an entry of `allowFrom` is malformed. */
  constructor(options: TransportOptions, handlers: TransportHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#addressBook = new AddressBook(options.allowFrom, {
      lookup: options.lookup ?? lookupAll,
      onLookupFailed: (host, reason) => this.#emit({ kind: "resolveFailed", host, reason }),
    });
    this.#server = this.#createServer();
    this.setPeers(options.peers);
  }

  /** Begins to listen. Returns where; throws a transport error with advice. */
  async start(): Promise<Endpoint> {
    const endpoint = await this.#server.listen();
    this.#addressBook.start();
    this.#emit({ kind: "listening", ...endpoint });
    return endpoint;
  }

  /**
   * Sends a request to the peer it names, or a response to the connection its request came on.
   * Payloads are not copied: they must stay as they are until the message is answered or failed.
   */
  send(message: Message): void {
    if (this.#isStopped) return;
    if (isResponse(message)) return this.#server.respond(message);
    const peer = this.#peers.get(message.to);
    if (peer !== undefined) return peer.send(message);
    const failure = failureOf(message);
    process.nextTick(() => {
      if (!this.#isStopped) this.#handlers.onRpcFailed(failure);
    });
  }

  /** Calls `method` of one of our own nodes; rejects with a call-failed error. A Go node hangs up on it. */
  async request(
    peerId: ServerId,
    method: string,
    body: Uint8Array,
    { timeoutMs }: { readonly timeoutMs: number },
  ): Promise<ExtensionAnswer> {
    const peer = this.#peers.get(peerId);
    if (this.#isStopped) throw callFailed(peerId, "stopped", "this node's Raft port is stopped");
    if (peer === undefined) {
      throw callFailed(peerId, "unknownPeer", `${peerId} is not in raft.peers`);
    }
    return peer.request({ method, body }, timeoutMs);
  }

  /** Replaces the peers; connections with those that left or moved are closed. Throws a bad-address error. */
  setPeers(addresses: ReadonlyMap<ServerId, string>): void {
    const hosts = [...addresses].map(
      ([peerId, address]) => parseEndpoint(address, `raft.peers: ${peerId}`).host,
    );
    const peers = new Map<ServerId, Peer>();
    for (const [peerId, address] of addresses) {
      if (peerId === this.#options.localId) continue;
      const known = this.#addresses.get(peerId) === address ? this.#peers.get(peerId) : undefined;
      peers.set(peerId, known ?? this.#createPeer(peerId, address));
    }
    for (const peer of this.#peers.values()) {
      if (peers.get(peer.peerId) !== peer) peer.close("closed");
    }
    this.#peers = peers;
    this.#addresses = new Map(addresses);
    this.#addressBook.setHosts(hosts.filter((host) => !isWildcard(host)));
    this.#server.closeStrangers((peerId) => peers.has(peerId));
  }

  stats(): ReadonlyMap<ServerId, PeerStats> {
    return new Map([...this.#peers].map(([peerId, peer]) => [peerId, peer.stats()]));
  }

  /** By peer, what each heartbeat took that was answered since this was last asked. */
  takeRoundTripsMs(): ReadonlyMap<ServerId, readonly number[]> {
    return new Map([...this.#peers].map(([peerId, peer]) => [peerId, peer.takeRoundTripsMs()]));
  }

  /** Our end of the first connection to a peer: for `resolveAdvertisedAddress`. null before. */
  get outboundLocalAddress(): string | null {
    return this.#outboundLocalAddress;
  }

  /** Closes everything; no handler is called afterwards. May be called twice. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#addressBook.stop();
    for (const peer of this.#peers.values()) peer.close("stopped");
    await this.#server.stop();
  }

  #createServer(): Server {
    const { localId, listen, chain = null } = this.#options;
    return new Server(
      { localId, listen, chain, limits: this.#limits },
      {
        addressBook: this.#addressBook,
        writer: this.#writer,
        identity: () => this.#ownIdentity(),
        identify: (id, address) => this.#identify(id, address),
        onRequest: (request) => this.#deliver(request),
        onExtension: (from, { method, body }, respond) => {
          if (this.#isStopped) return;
          this.#handlers.onExtensionRequest({
            from,
            method,
            body,
            respond: (status, answer) => respond({ status, body: answer }),
          });
        },
        onInboundConnected: (peerId) => this.#peers.get(peerId)?.inboundConnected(),
        onInboundLost: (peerId) => this.#peers.get(peerId)?.inboundLost(),
        onEvent: (event) => this.#emit(event),
      },
    );
  }

  #createPeer(peerId: ServerId, address: string): Peer {
    const { sendTimeoutMs, listen, random = Math.random } = this.#options;
    return new Peer(
      { peerId, address, listenHost: listen.host, sendTimeoutMs, limits: this.#limits, random },
      {
        addressBook: this.#addressBook,
        writer: this.#writer,
        identity: () => this.#ownIdentity(),
        onResponse: (response) => this.#deliver(response),
        onRpcFailed: (failure) => {
          if (!this.#isStopped) this.#handlers.onRpcFailed(failure);
        },
        onSuspect: (suspect) => this.#expectCampaign(suspect),
        onProcessGone: (gone) => {
          if (!this.#isStopped) this.#handlers.onProcessGone(gone);
        },
        onEvent: (event) => this.#emit(event),
        onLocalAddress: (local) => {
          this.#outboundLocalAddress ??= plainIp(local);
        },
      },
    );
  }

  /** If it led, the others are asked for their votes: a dial now is a round trip less then. */
  #expectCampaign(suspect: ServerId): void {
    if (this.#isStopped) return;
    for (const [peerId, peer] of this.#peers) {
      if (peerId !== suspect) peer.expectCampaign();
    }
  }

  /** The member that a request's header names. */
  #identify(id: string, address: string): Sender {
    const { localId, allowUnnamedPeers } = this.#options;
    if (id === localId) {
      const reason = `sent in the name of this node: two nodes have raft.node_id ${localId}`;
      return { kind: "stranger", reason };
    }
    if (this.#peers.has(id)) return { kind: "member", peerId: id };
    if (id !== "") {
      return {
        kind: "stranger",
        reason: `${JSON.stringify(id.slice(0, 100))} is not in raft.peers`,
      };
    }
    if (allowUnnamedPeers === true) {
      for (const [peerId, configured] of this.#addresses) {
        if (configured === address && peerId !== localId) return { kind: "member", peerId };
      }
    }
    return { kind: "stranger", reason: "the request does not say who sent it" };
  }

  #ownIdentity(): Identity {
    const address = this.#options.advertisedAddress();
    if (this.#identity?.address !== address) {
      const { localId, chain = null } = this.#options;
      this.#identity = { address, identity: identityOf(localId, address, chain) };
    }
    return this.#identity.identity;
  }

  #deliver(message: Message): void {
    if (!this.#isStopped) this.#handlers.onMessage(message);
  }

  #emit(event: TransportEvent): void {
    if (!this.#isStopped) this.#handlers.onEvent(event);
  }
}

const responseKinds: ReadonlySet<Message["kind"]> = new Set<ResponseMessage["kind"]>([
  "appendEntriesResponse",
  "heartbeatResponse",
  "requestVoteResponse",
  "requestPreVoteResponse",
  "installSnapshotResponse",
  "timeoutNowResponse",
]);

function isResponse(message: Message): message is ResponseMessage {
  return responseKinds.has(message.kind);
}

async function lookupAll(host: string): Promise<readonly string[]> {
  const found = await dnsLookup(host, { all: true });
  return found.map(({ address }) => address);
}
