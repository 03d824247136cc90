/** What a node answers its peers. */

import { expect, it } from "vitest";
import {
  answerPeer,
  decodeReadIndex,
  type PeerRequestHandlers,
  peerMethods,
} from "../../src/node/peer-requests.ts";

const nothing = new Uint8Array(0);

function answerOf(confirmLeadership: PeerRequestHandlers["confirmLeadership"]) {
  const notAsked = () => Promise.reject(new Error("nobody asked for that"));
  return answerPeer(peerMethods.readIndex, nothing, {
    confirmLeadership,
    takeOffer: () => 404,
    clusterView: notAsked,
    txIds: notAsked,
    settings: () => ({}),
  });
}

it("a read index, once a majority has confirmed it", async () => {
  const { status, body } = await answerOf(async () => 17);
  expect([status, decodeReadIndex(body)]).toEqual([200, 17]);
});

it("no read index where it does not lead", async () => {
  expect((await answerOf(async () => null)).status).toBe(409);
});

it("no read index, and others after it, where a new leader cannot commit", async () => {
  expect((await answerOf(() => new Promise(() => {}))).status).toBe(409);
});
