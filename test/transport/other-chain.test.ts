/** A member with another genesis.json is no member: nothing that it asks for reaches the core. */

import { afterEach, expect, it } from "vitest";
import type { Message, RequestMessage } from "../../src/raft/message.ts";
import {
  answerTo,
  appendEntries,
  Cleanup,
  heartbeat,
  preVote,
  requestVote,
  snapshotRequest,
  type TestNode,
} from "./harness.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const bytes = (text: string) => new TextEncoder().encode(text);
const chain = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const otherChain = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 9);
const timeoutNow = (from: string, to: string): RequestMessage => {
  return { kind: "timeoutNowRequest", from, to, id: 99 };
};
const requests: readonly RequestMessage[] = [
  heartbeat("a", "b"),
  requestVote("a", "b"),
  preVote("a", "b"),
  appendEntries("a", "b", 5, [bytes("one")]),
  snapshotRequest("a", "b", bytes("state")),
  timeoutNow("a", "b"),
];

const pairOf = async (ofA: Uint8Array | null, ofB: Uint8Array | null) => {
  const a = await cleanup.node("a", ofA === null ? {} : { chain: ofA });
  const peers = new Map([["a", a.address]]);
  const b = await cleanup.node("b", { peers, ...(ofB === null ? {} : { chain: ofB }) });
  a.transport.setPeers(new Map([["b", b.address]]));
  return [a, b] as const;
};

it.each(requests)("is heard by no core: $kind", async (request) => {
  const [a, b] = await pairOf(chain, otherChain);
  a.transport.send(request);
  expect(await a.failures.next()).toMatchObject({ kind: request.kind, to: "b" });
  const { error } = await a.event("rpcRefused");
  expect(error).toMatch(/another genesis\.json/);
  expect(b.messages.all).toEqual([]);
});

it("is asked, and told, how it stands where a disk is empty: of which chain that is, the answer says", async () => {
  const [a, b] = await pairOf(chain, otherChain);
  const question = { ...preVote("a", "b"), term: 0 } as RequestMessage;
  const standing = { memory: "whole", lastLogIndex: 7, height: 5, baseHeight: 0 } as const;
  const ask = async (from: TestNode, to: TestNode) => {
    from.transport.send(question);
    to.transport.send({ ...answerTo(await to.messages.next()), standing } as Message);
    return await from.messages.next();
  };
  expect(await ask(a, b)).toMatchObject({ standing: { ...standing, isOfOtherChain: true } });
  const [c, d] = await pairOf(chain, chain);
  expect(await ask(c, d)).toMatchObject({ standing });
  expect(await ask(c, d)).not.toMatchObject({ standing: { isOfOtherChain: true } });
});

it("may still ask what differs", async () => {
  const [a, b] = await pairOf(chain, otherChain);
  const answer = a.transport.request("b", "settings", bytes(""), { timeoutMs: 10_000 });
  (await b.calls.next()).respond(200, bytes("mine"));
  expect(await answer).toEqual({ status: 200, body: bytes("mine") });
});

it.each([
  ["of the same", chain, chain],
  ["that names none, as one in Go", null, chain],
  ["of some chain, where this node names none", chain, null],
] as const)("a peer %s is heard", async (_who, ofA, ofB) => {
  const [a, b] = await pairOf(ofA, ofB);
  for (const request of requests) {
    a.transport.send(request);
    const heard = await b.messages.next(({ kind }) => kind === request.kind);
    b.transport.send(answerTo(heard));
    await a.messages.next();
  }
  expect(a.failures.all).toEqual([]);
});
