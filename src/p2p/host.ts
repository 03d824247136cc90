/** The libp2p host: TCP, noise, yamux, identify and ping, for configured peers only. */

import { setMaxListeners } from "node:events";
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { identify } from "@libp2p/identify";
import type { Connection, PrivateKey, Stream } from "@libp2p/interface";
import { peerIdFromPrivateKey, peerIdFromString } from "@libp2p/peer-id";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { createLibp2p, type Libp2p } from "libp2p";
import type { Random } from "../base/random.ts";
import { TaskGroup } from "../base/task-group.ts";
import { keepConnected } from "./dialer.ts";
import { P2pError } from "./errors.ts";
import type { OnP2pEvent } from "./event.ts";
import { createGater } from "./gater.ts";
import {
  connectionsMax,
  connectionsPerSecondMax,
  dialTimeoutMs,
  handshakesMax,
  pingTimeoutMs,
  requestsPerPeerMax,
  streamsPerConnectionMax,
  streamWindowMaxBytes,
  unreadMaxBytes,
} from "./limits.ts";
import { explainListenFailure, type ListenAddress, parseListenAddress } from "./listen-address.ts";
import { type ConnectedPeer, PeerBook } from "./peer-book.ts";
import { type DialedPeer, type PeerList, type PeerSettings, readPeerList } from "./peer-list.ts";
import { asError, StreamLost } from "./stream.ts";

export interface P2pHostOptions extends PeerSettings {
  /** The node's Ed25519 key as libp2p has it: 64 bytes. */
  readonly rawPrivateKey: Uint8Array;
  /** `p2p.listen_address`; port 0 takes a free one. */
  readonly listenAddress: string;
  /** What identify tells peers, such as `ev-sequencer/0.1.0`. */
  readonly agent: string;
}

export interface P2pHostDependencies {
  readonly onEvent: OnP2pEvent;
  readonly random: Random;
}

/** Answers one inbound stream. What it throws resets the stream. */
export type StreamHandler = (stream: Stream, peerId: string) => Promise<void>;

export class P2pHost {
  readonly peerId: string;
  readonly #privateKey: PrivateKey;
  readonly #listenAddress: ListenAddress;
  readonly #peerList: PeerList;
  readonly #agent: string;
  readonly #onEvent: OnP2pEvent;
  readonly #random: Random;
  readonly #handlers = new Map<string, StreamHandler>();
  #running: Running | null = null;
  #changing: Promise<void> = Promise.resolve();

  /** Throws P2pError for an address, peer or key that cannot be used. */
  constructor(options: P2pHostOptions, { onEvent, random }: P2pHostDependencies) {
    this.#privateKey = readKey(options.rawPrivateKey);
    this.peerId = peerIdFromPrivateKey(this.#privateKey).toString();
    this.#listenAddress = parseListenAddress(options.listenAddress);
    this.#peerList = readPeerList(this.peerId, options);
    this.#agent = options.agent;
    this.#onEvent = onEvent;
    this.#random = random;
  }

  /** Where peers reach this node, each with its peer id; a wildcard as the interfaces behind it. Empty while stopped. */
  get addresses(): readonly string[] {
    return this.#running?.libp2p.getMultiaddrs().map(String) ?? [];
  }

  get peers(): readonly ConnectedPeer[] {
    return this.#running?.book.connected ?? [];
  }

  /** Serves a protocol; before `start`. */
  handle(protocol: string, handler: StreamHandler): void {
    this.#handlers.set(protocol, handler);
  }

  /** Listens and begins to dial. May be called twice. Throws P2pError if the address cannot be opened. */
  start(): Promise<void> {
    return this.#change(async () => {
      if (this.#running !== null) return;
      const running = await this.#open();
      this.#running = running;
      this.#onEvent({ kind: "listening", addresses: this.addresses });
      for (const peer of this.#peerList.dialed) {
        running.tasks.spawn(`dial ${peer.peerId}`, (signal) => this.#keep(peer, running, signal));
      }
    });
  }

  /** Closes every connection. May be called twice, and before `start`. */
  stop(): Promise<void> {
    return this.#change(async () => {
      const running = this.#running;
      if (running === null) return;
      this.#running = null;
      await running.tasks.stop();
      await running.libp2p.stop();
    });
  }

  /** A stream to a connected peer. Throws if there is no connection, or the peer does not speak `protocol`. */
  async openStream(peerId: string, protocol: string, signal: AbortSignal): Promise<Stream> {
    const connections = this.#running?.libp2p.getConnections(peerIdFromString(peerId)) ?? [];
    const open = connections.find(({ status }) => status === "open");
    if (open === undefined) throw new StreamLost("the peer is not connected");
    return await open.newStream(protocol, { signal });
  }

  /** One start or stop after the other. */
  #change(step: () => Promise<void>): Promise<void> {
    const done = this.#changing.then(step);
    this.#changing = done.catch(() => {});
    return done;
  }

  async #open(): Promise<Running> {
    const libp2p = await this.#create();
    const book = new PeerBook(this.#onEvent);
    libp2p.addEventListener("connection:open", ({ detail }) => book.opened(detail));
    libp2p.addEventListener("connection:close", ({ detail }) => book.closed(detail));
    for (const [protocol, handler] of this.#handlers) {
      await libp2p.handle(protocol, (stream, connection) => serve(handler, stream, connection), {
        maxInboundStreams: requestsPerPeerMax,
      });
    }
    try {
      await libp2p.start();
    } catch (error) {
      await libp2p.stop();
      throw await explainListenFailure(this.#listenAddress, error);
    }
    // The tasks throw for bugs only; then there is nobody left to tell but the process.
    const tasks = new TaskGroup((_name, error) => {
      throw error;
    });
    setMaxListeners(0, tasks.signal);
    return { libp2p, book, tasks };
  }

  #create(): Promise<Libp2p> {
    return createLibp2p({
      start: false,
      privateKey: this.#privateKey,
      nodeInfo: { userAgent: this.#agent },
      addresses: { listen: [this.#listenAddress.multiaddr.toString()] },
      transports: [tcp({ backlog: handshakesMax })],
      connectionEncrypters: [noise()],
      streamMuxers: [
        yamux({
          maxInboundStreams: streamsPerConnectionMax,
          streamOptions: {
            maxReadBufferLength: unreadMaxBytes,
            maxStreamWindowSize: streamWindowMaxBytes,
          },
        }),
      ],
      connectionGater: createGater(this.#peerList, this.#onEvent),
      connectionManager: {
        maxConnections: connectionsMax,
        maxIncomingPendingConnections: handshakesMax,
        inboundConnectionThreshold: connectionsPerSecondMax,
        dialTimeout: dialTimeoutMs,
        // Redialling is the dialer's, which never gives up.
        reconnectRetries: 0,
      },
      connectionMonitor: { pingTimeout: { minTimeout: pingTimeoutMs } },
      services: { identify: identify(), ping: ping() },
    });
  }

  #keep(peer: DialedPeer, { libp2p, book }: Running, signal: AbortSignal): Promise<void> {
    const connections = {
      isConnected: (peerId: string) => book.has(peerId),
      disconnected: (peerId: string, until: AbortSignal) => book.gone(peerId, until),
      dial: async ({ addresses }: DialedPeer, until: AbortSignal) => {
        await libp2p.dial([...addresses], { signal: until });
      },
    };
    const [random, onEvent] = [this.#random, this.#onEvent];
    return keepConnected(
      peer,
      { connections, random, onEvent, nowMs: () => performance.now() },
      signal,
    );
  }
}

interface Running {
  readonly libp2p: Libp2p;
  readonly book: PeerBook;
  readonly tasks: TaskGroup;
}

async function serve(
  handler: StreamHandler,
  stream: Stream,
  connection: Connection,
): Promise<void> {
  try {
    await handler(stream, connection.remotePeer.toString());
  } catch (error) {
    stream.abort(asError(error));
  }
}

function readKey(rawPrivateKey: Uint8Array): PrivateKey {
  try {
    const key = privateKeyFromRaw(rawPrivateKey);
    if (key.type === "Ed25519") return key;
  } catch {
    // Told below, without the cause: it may quote the key.
  }
  throw new P2pError(
    { code: "P2P_BAD_KEY" },
    "the node's key is not an Ed25519 key of 64 bytes. Move node_key.json away and run evm init to make a new one; the peer id then changes.",
  );
}
