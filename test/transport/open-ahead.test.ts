/** Connections that are opened before there is anything to send: an election then needs no dial. */

import { afterEach, expect, it } from "vitest";
import { Cleanup, heartbeat, requestVote, type TestNode } from "./harness.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

async function connections(node: TestNode, count: number): Promise<string[]> {
  const purposes: string[] = [];
  while (purposes.length < count) purposes.push((await node.event("connected")).purpose);
  return purposes.sort();
}

it("a candidate connects for what it will send once it has won", async () => {
  const [a, b] = await cleanup.pair();
  a.transport.send(requestVote("a", "b"));
  expect(await connections(a, 3)).toEqual(["append", "heartbeat", "vote"]);
  expect((await b.messages.next()).kind).toBe("requestVoteRequest");
});

it("a peer that hangs up: the others will be asked for their votes", async () => {
  const leader = await cleanup.node("leader");
  const other = await cleanup.node("other");
  const peers = new Map([
    ["leader", leader.address],
    ["other", other.address],
  ]);
  const a = await cleanup.node("a", { peers });
  leader.transport.setPeers(new Map([["a", a.address]]));
  leader.transport.send(heartbeat("leader", "a"));
  await a.messages.next();
  await leader.transport.stop();
  expect(await a.event("connected")).toMatchObject({ peerId: "other", purpose: "vote" });
});

it("is closed again when nothing is sent on it, and that is no failure", async () => {
  const [a, b] = await cleanup.pair();
  b.transport.send(heartbeat("b", "a"));
  a.transport.send(requestVote("a", "b"));
  await connections(a, 3);
  for (let closed = 0; closed < 2; closed++) await b.event("inboundClosed");
  expect(a.gone.all).toEqual([]);
  expect(a.events.all.filter(({ kind }) => kind === "disconnected")).toEqual([]);
  a.transport.send(heartbeat("a", "b"));
  expect((await a.event("connected")).purpose).toBe("heartbeat");
});
