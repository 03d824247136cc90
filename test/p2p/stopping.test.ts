/** A peer that is stopped while it answers, as each one is in a rolling upgrade, is asked again when it is back. */

import { expect, it } from "vitest";
import { Exchange } from "../../src/p2p/exchange.ts";
import { BlockServer } from "../../src/p2p/server.ts";
import { blockAt, buildChain, chainId, headAfter, MemoryBlocks } from "./chain.ts";
import { dataOf, lieTo } from "./liars.ts";
import {
  connectedTo,
  createBackfill,
  createNode,
  of,
  peerIdOf,
  serving,
  type TestNode,
  until,
} from "./nodes.ts";

const large = new Uint8Array(8 * 1024 * 1024 - 1024).fill(1);
const chain = buildChain({ length: 3, txsAt: (height) => (height === 2 ? [large] : []) });
const never = new AbortController().signal;

/** Node 1, which serves the chain to node 0 over a connection that it has dialled itself. */
async function dialling({ host: { addresses } }: TestNode): Promise<TestNode> {
  const server = createNode(1, { peers: [...addresses] });
  const dependencies = {
    blocks: new MemoryBlocks(chain),
    serveBudget: () => Number.POSITIVE_INFINITY,
    onEvent: () => {},
  };
  new BlockServer({ chainId }, dependencies).register(server.host);
  await server.host.start();
  return server;
}

it("a server that stops within a message is no liar, and is asked again", async () => {
  const node = createNode(0, { allowedPeers: [peerIdOf(1)] });
  await node.host.start();
  const server = await dialling(node);
  await until(() => node.host.peers.length === 1);
  let stopped: Promise<void> | null = null;
  const openStream = node.host.openStream.bind(node.host);
  node.host.openStream = async (peerId, protocol, signal) => {
    const stream = await openStream(peerId, protocol, signal);
    if (!protocol.includes("dataSync")) return stream;
    let receivedBytes = 0;
    stream.addEventListener("message", ({ data }) => {
      receivedBytes += data.byteLength;
      if (receivedBytes > large.length / 8) stopped ??= server.host.stop();
    });
    return stream;
  };

  const backfill = createBackfill(node);
  const heights: number[] = [];
  const gap = { parent: headAfter(chain, 0), target: blockAt(chain, 3) };
  const running = (async () => {
    for await (const { height } of backfill.blocks(gap, never)) heights.push(height);
  })();
  await until(() => stopped !== null);
  await stopped;
  await until(() => node.host.peers.length === 0);
  await dialling(node);
  await Promise.race([running, until(() => of(node, "badPeer").length > 0)]);
  expect(of(node, "badPeer")).toEqual([]);
  expect(heights).toEqual([1, 2, 3]);
  expect(backfill.droppedPeers.size).toBe(0);
});

it.each([
  [
    "whole items before the cut are kept",
    dataOf(chain).length - 20,
    { kind: "items", items: [1, 2] },
  ],
  ["without any it is no answer", 20, { kind: "noAnswer" }],
])("of an answer that is cut, %s", async (_rule, sizeBytes, expected) => {
  const bytes = dataOf(chain).subarray(0, sizeBytes);
  const lie = { name: "a cut answer", kind: "data", answer: () => ({ bytes }) } as const;
  const server = await serving(1, new MemoryBlocks(chain), {
    corrupt: (host) => lieTo(host, chain, lie),
  });
  const node = await connectedTo([server]);
  const answer = await new Exchange({ chainId }, node.host).data(
    server.host.peerId,
    { from: 1, to: 3 },
    never,
  );
  const reason = "the stream ended within a message";
  if (answer.kind === "items") {
    const items = answer.items.map(({ metadata }) => metadata?.height);
    expect({ kind: answer.kind, items }).toEqual(expected);
    expect(answer.failure).toContain(reason);
  } else {
    expect(answer).toEqual({ ...expected, reason: expect.stringContaining(reason) });
  }
});
