/** Clients that no honest program would be. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** A connection whose errors interest nobody; null if it was refused. */
export async function open({ host, port }: Target, from?: string): Promise<Socket | null> {
  const socket = connect({ host, port, ...(from === undefined ? {} : { localAddress: from }) });
  socket.on("error", () => {});
  socket.on("data", () => {});
  const isOpen = await Promise.race([
    once(socket, "connect").then(
      () => true,
      () => false,
    ),
    once(socket, "close").then(() => false),
  ]);
  return isOpen ? socket : null;
}

/** Sends `bytes` and waits until the other side has had enough, or `limitMs`. */
export async function sendAndWait(
  target: Target,
  bytes: Uint8Array,
  { limitMs = 5_000, from }: { readonly limitMs?: number; readonly from?: string } = {},
): Promise<void> {
  const socket = await open(target, from);
  if (socket === null) return;
  socket.write(bytes);
  const timer = setTimeout(() => socket.destroy(), limitMs);
  if (!socket.closed) await once(socket, "close").catch(() => {});
  clearTimeout(timer);
}

/** Sends bytes without end, as fast as they are taken, until the other side hangs up or `limitBytes`. */
export async function flood(target: Target, head: string, limitBytes: number): Promise<void> {
  const socket = await open(target);
  if (socket === null) return;
  socket.write(head);
  const chunk = Buffer.alloc(64 * 1024, "a");
  const closed = once(socket, "close").catch(() => {});
  for (let sent = 0; sent < limitBytes && socket.writable; sent += chunk.length) {
    if (!socket.write(chunk)) await Promise.race([once(socket, "drain").catch(() => {}), closed]);
  }
  socket.destroy();
  await closed;
}

/** Many connections that say `bytes`, if anything, and stay. */
export async function crowd(target: Target, count: number, bytes: Uint8Array): Promise<Socket[]> {
  const sockets = await Promise.all(Array.from({ length: count }, () => open(target)));
  const connected = sockets.filter((socket) => socket !== null);
  for (const socket of connected) if (bytes.length > 0) socket.write(bytes);
  return connected;
}
