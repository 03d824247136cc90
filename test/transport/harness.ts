/** Real transports on loopback, and a record of what they report that tests can wait on. */

import { connect, type Socket } from "node:net";
import { defined } from "../../src/base/assert.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import type { Message, RequestMessage } from "../../src/raft/message.ts";
import type { RpcFailure } from "../../src/raft/ready.ts";
import type { ServerId } from "../../src/raft/types.ts";
import {
  type ExtensionRequest,
  TcpTransport,
  type TransportEvent,
  type TransportHandlers,
  type TransportOptions,
} from "../../src/transport/tcp-transport.ts";

/** A list that can be waited on: `next` finds the first item, past or future, that no `next` took before. */
export class Inbox<T> {
  readonly all: T[] = [];
  #untaken: T[] = [];
  readonly #waiters: { matches: (item: T) => boolean; take: (item: T) => void }[] = [];

  put(item: T): void {
    this.all.push(item);
    const at = this.#waiters.findIndex(({ matches }) => matches(item));
    if (at === -1) this.#untaken.push(item);
    else this.#waiters.splice(at, 1)[0]?.take(item);
  }

  next(matches: (item: T) => boolean = () => true): Promise<T> {
    const found = this.#untaken.find(matches);
    if (found !== undefined) {
      this.#untaken = this.#untaken.filter((item) => item !== found);
      return Promise.resolve(found);
    }
    return new Promise((take) => this.#waiters.push({ matches, take }));
  }
}

export class TestNode {
  readonly id: ServerId;
  readonly transport: TcpTransport;
  readonly messages = new Inbox<Message>();
  readonly failures = new Inbox<RpcFailure>();
  readonly gone = new Inbox<ServerId>();
  readonly events = new Inbox<TransportEvent>();
  readonly calls = new Inbox<ExtensionRequest>();
  port = 0;

  constructor(
    id: ServerId,
    options: Partial<TransportOptions>,
    handlers?: Partial<TransportHandlers>,
  ) {
    this.id = id;
    this.transport = new TcpTransport(
      {
        localId: id,
        advertisedAddress: () => `127.0.0.1:${this.port}`,
        listen: { host: "127.0.0.1", port: 0 },
        peers: new Map(),
        sendTimeoutMs: 10_000, // a busy machine is not what is tested
        allowFrom: [],
        random: () => 0.5,
        ...options,
      },
      {
        onMessage: (message) => this.messages.put(message),
        onRpcFailed: (failure) => this.failures.put(failure),
        onProcessGone: (peerId) => this.gone.put(peerId),
        onExtensionRequest: (request) => this.calls.put(request),
        onEvent: (event) => this.events.put(event),
        ...handlers,
      },
    );
  }

  async start(): Promise<this> {
    this.port = (await this.transport.start()).port;
    return this;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  event<K extends TransportEvent["kind"]>(
    kind: K,
  ): Promise<Extract<TransportEvent, { readonly kind: K }>> {
    const isKind = (
      event: TransportEvent,
    ): event is Extract<TransportEvent, { readonly kind: K }> => event.kind === kind;
    return this.events.next(isKind).then((event) => {
      if (!isKind(event)) throw new Error("next() returned what it did not match");
      return event;
    });
  }
}

/** What a test started, to be stopped after it. */
export class Cleanup {
  #tasks: (() => unknown)[] = [];

  add(task: () => unknown): void {
    this.#tasks.push(task);
  }

  async run(): Promise<void> {
    for (const task of this.#tasks.reverse()) await task();
    this.#tasks = [];
  }

  async node(
    id: ServerId,
    options: Partial<TransportOptions> = {},
    handlers: Partial<TransportHandlers> = {},
  ): Promise<TestNode> {
    const node = new TestNode(id, options, handlers);
    this.add(() => node.transport.stop());
    return node.start();
  }

  /** Two nodes that know each other. */
  async pair(options: Partial<TransportOptions> = {}): Promise<[TestNode, TestNode]> {
    const a = await this.node("a", options);
    const b = await this.node("b", { ...options, peers: new Map([["a", a.address]]) });
    a.transport.setPeers(new Map([["b", b.address]]));
    return [a, b];
  }

  /** A client that speaks whatever bytes the test gives it. */
  async rawClient(port: number, host = "127.0.0.1"): Promise<RawClient> {
    const client = new RawClient(connect({ host, port }));
    this.add(() => client.socket.destroy());
    await client.connected;
    return client;
  }
}

export class RawClient {
  readonly socket: Socket;
  readonly connected: Promise<void>;
  /** Resolves with everything received, when the other side has closed. */
  readonly closed: Promise<Uint8Array>;
  readonly #chunks: Uint8Array[] = [];
  #waiting: { bytes: number; take: (bytes: Uint8Array) => void } | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
    this.connected = new Promise((resolve) => socket.once("connect", () => resolve()));
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      this.#chunks.push(chunk);
      this.#check();
    });
    this.closed = new Promise((resolve) =>
      socket.once("close", () => resolve(concatBytes(this.#chunks))),
    );
  }

  /** The first `bytes` bytes received. */
  received(bytes: number): Promise<Uint8Array> {
    return new Promise((take) => {
      this.#waiting = { bytes, take };
      this.#check();
    });
  }

  #check(): void {
    const all = concatBytes(this.#chunks);
    if (this.#waiting === null || all.length < this.#waiting.bytes) return;
    this.#waiting.take(all);
    this.#waiting = null;
  }
}

let lastId = 0;

/** A request with whatever the test does not care about filled in. */
export function heartbeat(from: string, to: string, sentAtMs = 1): RequestMessage {
  return { kind: "heartbeatRequest", from, to, id: ++lastId, term: 7, sentAtMs };
}

export function requestVote(from: string, to: string): RequestMessage {
  const last = { index: 5, term: 7 };
  return {
    kind: "requestVoteRequest",
    from,
    to,
    id: ++lastId,
    term: 8,
    last,
    leadershipTransfer: false,
  };
}

export function preVote(from: string, to: string): RequestMessage {
  return {
    kind: "requestPreVoteRequest",
    from,
    to,
    id: ++lastId,
    term: 8,
    last: { index: 5, term: 7 },
  };
}

export function appendEntries(
  from: string,
  to: string,
  prevIndex: number,
  payloads: readonly Uint8Array[],
): Extract<RequestMessage, { kind: "appendEntriesRequest" }> {
  return {
    kind: "appendEntriesRequest",
    from,
    to,
    id: ++lastId,
    term: 7,
    prev: { index: prevIndex, term: prevIndex === 0 ? 0 : 7 },
    entries: payloads.map((data, at) => ({
      index: prevIndex + 1 + at,
      term: 7,
      kind: "command",
      data,
      extensions: null,
      appendedAt: null,
    })),
    leaderCommit: prevIndex,
    sentAtMs: 3,
  };
}

export function snapshotRequest(
  from: string,
  to: string,
  data: Uint8Array,
): Extract<RequestMessage, { kind: "installSnapshotRequest" }> {
  return {
    kind: "installSnapshotRequest",
    from,
    to,
    id: ++lastId,
    term: 7,
    snapshot: {
      last: { index: 40, term: 6 },
      configuration: { servers: [{ id: "a", address: "127.0.0.1:1", suffrage: "voter" }] },
      configurationIndex: 1,
      data,
    },
  };
}

/** The response a follower would give to `request`, granted or successful. */
export function answerTo(request: Message): Message {
  const envelope = { from: request.to, to: request.from, id: request.id };
  switch (request.kind) {
    case "heartbeatRequest":
      return {
        kind: "heartbeatResponse",
        ...envelope,
        term: request.term,
        success: true,
        lastLogIndex: 9,
        sentAtMs: 0,
      };
    case "appendEntriesRequest":
      return {
        kind: "appendEntriesResponse",
        ...envelope,
        term: request.term,
        success: true,
        lastLogIndex: request.prev.index,
        noRetryBackoff: false,
        matchIndex: 0,
        prevLogIndex: 0,
        sentAtMs: 0,
      };
    case "requestVoteRequest":
      return { kind: "requestVoteResponse", ...envelope, term: request.term, granted: true };
    case "requestPreVoteRequest":
      return { kind: "requestPreVoteResponse", ...envelope, term: request.term, granted: true };
    case "installSnapshotRequest":
      return {
        kind: "installSnapshotResponse",
        ...envelope,
        term: request.term,
        success: true,
        snapshotIndex: 0,
      };
    case "timeoutNowRequest":
      return { kind: "timeoutNowResponse", ...envelope };
    default:
      throw new Error(`${request.kind} is no request`);
  }
}

/** A port of loopback that nobody listens on (any more). */
export async function closedPort(): Promise<number> {
  const node = await new TestNode("nobody", {}).start();
  const { port } = node;
  await node.transport.stop();
  return defined(port, "a port");
}
