/** Connections that are opened before there is anything to send: an election then needs no dial. */

import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { Cleanup, heartbeat, requestVote } from "./harness.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

/** A Raft port that accepts, and answers nothing. */
async function silentPort(): Promise<{ server: Server; address: string }> {
  const server = createServer((socket) => cleanup.add(() => socket.destroy()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanup.add(() => server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP port has a number");
  return { server, address: `127.0.0.1:${address.port}` };
}

it("a candidate connects for what it will send once it has won", async () => {
  const { server, address } = await silentPort();
  const a = await cleanup.node("a", { peers: new Map([["b", address]]) });
  a.transport.send(requestVote("a", "b"));
  for (const _purpose of ["vote", "append", "heartbeat"]) await once(server, "connection");
  expect(a.events.all.filter(({ kind }) => kind === "connected")).toMatchObject([
    { purpose: "vote" },
  ]);
});

it("a peer that hangs up: the others will be asked for their votes", async () => {
  const leader = await cleanup.node("leader");
  const other = await silentPort();
  const peers = new Map([
    ["leader", leader.address],
    ["other", other.address],
  ]);
  const a = await cleanup.node("a", { peers });
  leader.transport.setPeers(new Map([["a", a.address]]));
  leader.transport.send(heartbeat("leader", "a"));
  await a.messages.next();
  const connected = once(other.server, "connection");
  await leader.transport.stop();
  await connected;
});

it("one that nothing is sent on is closed again, and nobody hears of it", async () => {
  const { server, address } = await silentPort();
  const a = await cleanup.node("a", { peers: new Map([["b", address]]) });
  const accepted: Socket[] = [];
  server.on("connection", (socket) => accepted.push(socket.resume()));
  a.transport.send(requestVote("a", "b"));
  while (accepted.length < 3) await once(server, "connection");
  const [first, second] = accepted.map((socket) => once(socket, "close"));
  await Promise.race([first, second]);
  expect(a.gone.all).toEqual([]);
  expect(a.events.all.filter(({ kind }) => kind === "disconnected")).toEqual([]);
  a.transport.send(heartbeat("a", "b"));
  expect((await a.event("connected")).purpose).toBe("vote");
  expect((await a.event("connected")).purpose).toBe("heartbeat");
});
