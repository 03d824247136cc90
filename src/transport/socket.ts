/** Sockets: one system call for all that is written in one turn of the event loop. */

import { connect, type Socket } from "node:net";
import type { Route } from "./address.ts";

/** A dead host is noticed by heartbeats; keepalive only reaps what nobody uses. */
const keepAliveDelayMs = 15_000;

export const socketOptions = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: keepAliveDelayMs,
} as const;

export function dial({ host, port, source }: Route): Socket {
  const from = source === null ? {} : { localAddress: source };
  return connect({ host, port, ...from, ...socketOptions });
}

/** Writes `chunks`, and whatever else this turn still writes, with a single `writev`. Returns their size. */
export function writeTogether(socket: Socket, chunks: readonly Uint8Array[]): number {
  if (socket.writableCorked === 0) {
    socket.cork();
    process.nextTick(uncork, socket);
  }
  let sizeBytes = 0;
  for (const chunk of chunks) {
    sizeBytes += chunk.length;
    socket.write(chunk);
  }
  return sizeBytes;
}

/** How long a closing connection may take to deliver what was written to it. */
const closeGraceMs = 200;

/** Closes once everything written has gone out, and in any case soon. */
export function closeSoon(socket: Socket): void {
  socket.destroySoon();
  const timer = setTimeout(() => socket.destroy(), closeGraceMs);
  socket.once("close", () => clearTimeout(timer));
}

function uncork(socket: Socket): void {
  socket.uncork();
}

/** A received Buffer as what it is: other code must not meet Buffer's own `slice` and `toString`. */
export function plainBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** The code of a socket's error, or its message: short, and the same for the like. */
export function socketErrorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
