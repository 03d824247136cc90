import { describe, expect, it } from "vitest";
import { defined } from "../../src/base/assert.ts";
import { toHex } from "../../src/base/bytes.ts";
import { exchangeMessageMaxBytes } from "../../src/block/limits.ts";
import {
  decodeHeaderResponse,
  decodeP2PData,
  decodeP2PSignedHeader,
  encodeHeaderRequest,
} from "../../src/block/p2p-codec.ts";
import { Exchange } from "../../src/p2p/exchange.ts";
import { requestsPerPeerMax } from "../../src/p2p/limits.ts";
import { exchangeProtocol, type ItemKind } from "../../src/p2p/protocol.ts";
import { readFrames, sendBytes, sendFrame } from "../../src/p2p/stream.ts";
import { hex } from "../block/sample.ts";
import { at, bytes, text, vector } from "../block/vectors.ts";
import { blockAt, buildChain, chainId, MemoryBlocks } from "./chain.ts";
import { connectedTo, of, serving, type TestNode, until } from "./nodes.ts";

const chain = buildChain({ length: 100 });
const never = new AbortController().signal;

async function pair(blocks: MemoryBlocks, serveBudget?: () => number) {
  const server = await serving(1, blocks, serveBudget === undefined ? {} : { serveBudget });
  return { server, node: await connectedTo([server]) };
}

/** Sends raw bytes, ends our side, and returns the frames that come back. */
async function ask(
  { server, node }: { server: TestNode; node: TestNode },
  kind: ItemKind,
  request: Uint8Array,
): Promise<Uint8Array[]> {
  const protocol = exchangeProtocol(chainId, kind);
  const stream = await node.host.openStream(server.host.peerId, protocol, never);
  const frames: Uint8Array[] = [];
  const limits = { frameMaxBytes: exchangeMessageMaxBytes, signal: AbortSignal.timeout(20_000) };
  const read = readFrames(stream, limits, (frame) => {
    frames.push(frame.slice());
    return "more";
  });
  await Promise.all([
    read,
    sendBytes(stream, request, never).then(() => stream.close({ signal: never })),
  ]);
  return frames;
}

function range(origin: number, amount: number): Uint8Array {
  return frame(encodeHeaderRequest({ kind: "range", origin, amount }));
}

function frame(message: Uint8Array): Uint8Array {
  return Uint8Array.of(message.length, ...message);
}

function heights(frames: readonly Uint8Array[]): number[] {
  return frames.map((message) => {
    const response = decodeHeaderResponse(message);
    if (response.kind !== "ok") throw new Error(`the answer is ${response.kind}`);
    return decodeP2PSignedHeader(response.body).signed.header.height;
  });
}

describe("the server answers as go-header's", () => {
  it("the very bytes of ev-node's requests", async () => {
    const nodes = await pair(new MemoryBlocks(chain));
    const { expected } = vector("derived: header-ex request frames");
    expect(heights(await ask(nodes, "headers", hex(text(expected, 0))))).toEqual([100]);
    const all = Array.from({ length: 64 }, (_, index) => index + 1);
    expect(heights(await ask(nodes, "headers", hex(text(expected, 1))))).toEqual(all);
    const unknown = await ask(nodes, "headers", hex(text(expected, 2)));
    const responses = vector("derived: header-ex response frames").expected;
    expect(unknown.map((message) => toHex(frame(message)))).toEqual([text(responses, 1)]);
    expect(bytes(responses, 1)).toHaveLength(3);
    expect(at(responses, 1)).toBeDefined();
  });

  it("a block that it has not, instead of a damaged one; and what lies before it", async () => {
    const blocks = new MemoryBlocks(chain);
    blocks.damaged = 50;
    const nodes = await pair(blocks);
    expect(heights(await ask(nodes, "headers", range(48, 10)))).toEqual([48, 49]);
    for (const kind of ["headers", "data"] as const) {
      const frames = await ask(nodes, kind, range(50, 10));
      expect(frames.map((message) => decodeHeaderResponse(message).kind)).toEqual(["notFound"]);
    }
    expect(nodes.server.events.filter(({ kind }) => kind === "requestRefused")).toEqual([]);
  });

  it("nothing where it fails itself, and says so", async () => {
    const blocks = new MemoryBlocks(chain);
    const nodes = await pair(blocks);
    blocks.blockAt = () => {
      throw new TypeError("a bug");
    };
    await expect(ask(nodes, "headers", range(48, 10))).rejects.toThrow();
    const [failed] = nodes.server.events.filter((event) => event.kind === "serveFailed");
    expect(failed?.error).toBeInstanceOf(TypeError);
    expect(failed?.peerId).toBe(nodes.node.host.peerId);
  });

  it("data by its own protocol", async () => {
    const nodes = await pair(new MemoryBlocks(chain));
    const [message] = await ask(nodes, "data", range(3, 1));
    const response = decodeHeaderResponse(defined(message, "there is an answer"));
    if (response.kind !== "ok") throw new Error("the answer is an item");
    expect(decodeP2PData(response.body)).toEqual({ data: blockAt(chain, 3).data, daHeightHint: 0 });
  });

  it("a prefix up to its head, NOT_FOUND above it and below the oldest block", async () => {
    const nodes = await pair(new MemoryBlocks(chain, { earliest: 10, head: 50 }));
    expect(heights(await ask(nodes, "headers", range(49, 64)))).toEqual([49, 50]);
    for (const origin of [9, 51]) {
      const frames = await ask(nodes, "headers", range(origin, 2));
      expect(frames.map(decodeHeaderResponse)).toEqual([{ kind: "notFound" }]);
    }
  });

  it("a hash", async () => {
    const nodes = await pair(new MemoryBlocks(chain));
    const { hash } = blockAt(chain, 42);
    const request = frame(encodeHeaderRequest({ kind: "hash", hash, amount: 1 }));
    expect(heights(await ask(nodes, "headers", request))).toEqual([42]);
  });

  it.each([
    ["65 items", range(1, 65), new MemoryBlocks(chain)],
    ["no items", range(1, 0), new MemoryBlocks(chain)],
    ["neither height nor hash", hex("021801"), new MemoryBlocks(chain)],
    ["anything of an empty store", range(1, 1), new MemoryBlocks(chain, { head: 0 })],
    ["garbage", hex("04ffffffff"), new MemoryBlocks(chain)],
    ["a request that is too long", hex("ffff7f"), new MemoryBlocks(chain)],
    ["nothing", new Uint8Array(0), new MemoryBlocks(chain)],
  ])("a reset for %s", async (_name, request, blocks) => {
    const nodes = await pair(blocks);
    await expect(ask(nodes, "headers", request)).rejects.toThrow("the stream was reset");
    expect(of(nodes.server, "requestRefused")).toHaveLength(1);
    expect(nodes.node.host.peers).toHaveLength(1);
  });
});

describe("the server is bounded", () => {
  it("in requests of one peer under way; the connection goes on", async () => {
    const { server, node } = await pair(new MemoryBlocks(chain));
    const open = (kind: ItemKind) =>
      node.host.openStream(server.host.peerId, exchangeProtocol(chainId, kind), never);
    const mute = [];
    for (let count = 0; count < requestsPerPeerMax; count++) mute.push(await open("headers"));
    const nodes = { server, node };
    await expect(ask(nodes, "data", range(1, 1))).rejects.toThrow();
    for (const stream of mute) stream.abort(new Error("enough"));
    const exchange = new Exchange({ chainId }, node.host);
    let last = "noAnswer";
    while (last !== "items") {
      last = (await exchange.data(server.host.peerId, { from: 1, to: 1 }, never)).kind;
    }
  });

  it("in bytes of an answer: the rest is asked for again", async () => {
    const large = new Uint8Array(1_500_000);
    const heavy = buildChain({ length: 10, txsAt: () => [large] });
    const { server, node } = await pair(new MemoryBlocks(heavy));
    const exchange = new Exchange({ chainId }, node.host);
    const answer = await exchange.data(server.host.peerId, { from: 1, to: 10 }, never);
    expect(answer.kind === "items" && answer.items.length).toBe(6);
  });

  it("in bytes a second while it leads", async () => {
    let bytesPerSecond = 2000;
    const { server, node } = await pair(new MemoryBlocks(chain), () => bytesPerSecond);
    const exchange = new Exchange({ chainId }, node.host);
    const first = await exchange.headers(server.host.peerId, { from: 1, to: 64 }, never);
    const served = first.kind === "items" ? first.items.length : 0;
    expect(served).toBeGreaterThan(0);
    expect(served).toBeLessThan(20);
    bytesPerSecond = Number.POSITIVE_INFINITY;
    const second = await exchange.headers(server.host.peerId, { from: 1, to: 64 }, never);
    expect(second.kind === "items" && second.items.length).toBe(64);
  });

  it("a peer that does not read is cut off, and others are served meanwhile", async () => {
    const large = new Uint8Array(1_000_000);
    const heavy = buildChain({ length: 10, txsAt: () => [large] });
    const { server, node } = await pair(new MemoryBlocks(heavy));
    const protocol = exchangeProtocol(chainId, "data");
    const stream = await node.host.openStream(server.host.peerId, protocol, never);
    const request = encodeHeaderRequest({ kind: "range", origin: 1, amount: 10 });
    await sendFrame(stream, request, never);
    stream.pause();
    const exchange = new Exchange({ chainId }, node.host);
    const answer = await exchange.headers(server.host.peerId, { from: 1, to: 10 }, never);
    expect(answer.kind).toBe("items");
    stream.abort(new Error("gone"));
  });
});

describe("what a node serves", () => {
  it("is told to whoever asks", async () => {
    const { server, node } = await pair(new MemoryBlocks(chain, { earliest: 10, head: 50 }));
    const exchange = new Exchange({ chainId }, node.host);
    expect(await exchange.served(server.host.peerId, never)).toEqual({
      chainId,
      blocks: { earliestHeight: 10, headHeight: 50 },
    });
  });

  it("is null of a peer that does not speak of it", async () => {
    const { node } = await pair(new MemoryBlocks(chain));
    const exchange = new Exchange({ chainId }, node.host);
    expect(await exchange.served(node.host.peerId, never)).toBeNull();
  });
});

describe("the exchange", () => {
  it("ends by its own clock when a peer falls silent, and keeps what came", async () => {
    const { server, node } = await pair(new MemoryBlocks(chain), () => 0);
    const exchange = new Exchange({ chainId, timeoutMs: 100 }, node.host);
    const answer = await exchange.headers(server.host.peerId, { from: 1, to: 2 }, never);
    expect(answer).toMatchObject({ kind: "noAnswer", reason: expect.stringContaining("timeout") });
  });

  it("has no answer from a peer that is not connected, or of another chain", async () => {
    const { server, node } = await pair(new MemoryBlocks(chain));
    const other = new Exchange({ chainId: "another-chain" }, node.host);
    const { peerId } = server.host;
    expect((await other.headers(peerId, { from: 1, to: 2 }, never)).kind).toBe("noAnswer");
    await server.host.stop();
    await until(() => node.host.peers.length === 0);
    const exchange = new Exchange({ chainId }, node.host);
    expect(await exchange.headers(peerId, { from: 1, to: 2 }, never)).toEqual({
      kind: "noAnswer",
      reason: "the peer is not connected",
    });
  });
});
