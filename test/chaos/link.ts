/**
 * The way from one node to another's Raft port: a proxy that the one dials in place of the other. Bytes
 * come late, or wait; none is lost or changed, as TCP would not let a node see that, unless a connection is
 * reset: what it had under way is gone with it.
 */

import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { Bottleneck } from "./bottleneck.ts";

/** One direction of the network between two machines. */
export interface Way {
  /** How long a byte is on its way. */
  delayMs(): number;
  /** Nothing passes. */
  isCut: boolean;
  /** What its bytes pass before they are on their way; without one it is as wide as can be. */
  readonly bottleneck?: Bottleneck;
}

export interface LinkOptions {
  readonly host: string;
  /** Where it is dialled; a free port, unless it is said. */
  readonly port?: number;
  /** Where the node really listens. */
  readonly targetPort: number;
  readonly there: Way;
  readonly back: Way;
}

/** Beyond it the sender is made to wait: what a wide window holds. */
const underWayMaxBytes = 4 * 1024 * 1024;
/** The same where the way is narrow: what stands in a router's queue. */
const queuedMaxBytes = 64 * 1024;
/** On a narrow way nobody waits for more of another connection than this at a time. */
const packetBytes = 1448;
/** How often a way that is cut is looked at again. */
const cutPollMs = 10;

export class Link {
  readonly #options: LinkOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port: number;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#port = options.port ?? 0;
    // A connection ends each way on its own, as it does without a proxy.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  get port(): number {
    return this.#port;
  }

  /** The process behind it lives: its port accepts. */
  async open(): Promise<void> {
    if (this.#server.listening) return;
    this.#server.listen(this.#port, this.#options.host);
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("a TCP port has a number");
    this.#port = address.port;
  }

  /** The process behind it is gone: its port refuses. What it had sent still arrives. */
  close(): void {
    this.#server.close();
  }

  /** Both ends of every connection are told at once that it is over; the port goes on to accept. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  destroy(): void {
    this.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(near: Socket): void {
    const { host, targetPort, there, back } = this.#options;
    const far = createConnection({ host, port: targetPort, allowHalfOpen: true });
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    }
    carry(near, far, there);
    carry(far, near, back);
  }
}

/** Bytes, the end, and the reset of a process that is gone, each after its time on the way, in their order. */
function carry(from: Socket, to: Socket, way: Way): void {
  let lastDueMs = 0;
  let underWayBytes = 0;
  const queue: { readonly dueMs: number; readonly bytes: number; readonly arrive: () => void }[] =
    [];
  let isWaiting = false;
  const send = (bytes: number, arrive: () => void) => {
    underWayBytes += bytes;
    if (underWayBytes > windowOf(way)) from.pause();
    if (way.bottleneck === undefined) return depart(bytes, arrive);
    way.bottleneck.carry(bytes, () => depart(bytes, arrive));
  };
  const depart = (bytes: number, arrive: () => void) => {
    // One way has one order, however its delay changes.
    lastDueMs = Math.max(lastDueMs, performance.now() + way.delayMs());
    queue.push({ dueMs: lastDueMs, bytes, arrive });
    if (!isWaiting) look();
  };
  const look = () => {
    isWaiting = false;
    for (let head = queue[0]; head !== undefined; head = queue[0]) {
      const waitMs = way.isCut ? cutPollMs : head.dueMs - performance.now();
      if (waitMs > 0) {
        isWaiting = true;
        setTimeout(look, waitMs);
        return;
      }
      queue.shift();
      underWayBytes -= head.bytes;
      head.arrive();
    }
    if (underWayBytes <= windowOf(way)) from.resume();
  };
  let isOver = false;
  const end = (arrive: () => void) => {
    if (isOver) return;
    isOver = true;
    send(0, arrive);
  };
  from.on("data", (chunk) => {
    for (const packet of packetsOf(chunk, way)) send(packet.length, () => void to.write(packet));
  });
  from.once("end", () => end(() => to.end()));
  // A process that is killed resets, and so does a port that refuses.
  from.once("error", () => end(() => to.destroy()));
  from.once("close", () => end(() => to.destroy()));
}

function isNarrow({ bottleneck }: Way): boolean {
  return bottleneck !== undefined && bottleneck.bytesPerMs < Number.POSITIVE_INFINITY;
}

function windowOf(way: Way): number {
  return isNarrow(way) ? queuedMaxBytes : underWayMaxBytes;
}

function packetsOf(chunk: Buffer, way: Way): readonly Buffer[] {
  if (!isNarrow(way)) return [chunk];
  const count = Math.ceil(chunk.length / packetBytes);
  return Array.from({ length: count }, (_, nth) =>
    chunk.subarray(nth * packetBytes, (nth + 1) * packetBytes),
  );
}
