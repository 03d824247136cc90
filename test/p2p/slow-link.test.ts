/** A slow link: what moves gets through however long it takes, and what does not is given up. */

import { connect, createServer, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { emptyBytes } from "../../src/base/bytes.ts";
import { Exchange } from "../../src/p2p/exchange.ts";
import { answerTimeoutMs, progressBytes, writeTimeoutMs } from "../../src/p2p/limits.ts";
import {
  Motion,
  Pace,
  ProgressDeadline,
  ReaderAllowance,
  stealAfterMs,
} from "../../src/p2p/motion.ts";
import { exchangeProtocol } from "../../src/p2p/protocol.ts";
import { sendBytes } from "../../src/p2p/stream.ts";
import { blockAt, buildChain, chainId, headAfter, MemoryBlocks } from "./chain.ts";
import { dataOf } from "./liars.ts";
import { connectedTo, createBackfill, createNode, serving, type TestNode, until } from "./nodes.ts";

const never = new AbortController().signal;
const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

/** The address of `node` through a link that carries so much of its answers. */
async function slowAddress(node: TestNode, bytesPerSecond: number): Promise<string> {
  const [address = ""] = node.host.addresses;
  const [, , , , port, ...identity] = address.split("/");
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connect({ host: "127.0.0.1", port: Number(port) });
    sockets.push(near, far);
    near.pipe(far);
    far.pause();
    let carried = 0;
    const sinceMs = performance.now();
    const timer = setInterval(() => {
      const due = Math.floor(((performance.now() - sinceMs) * bytesPerSecond) / 1_000) - carried;
      const portion: Buffer | null = far.read(
        Math.max(1, Math.min(due, far.readableLength)),
      ) as Buffer | null;
      // What was not used is not saved up.
      carried += portion === null ? due : portion.length;
      if (portion !== null) near.write(portion);
    }, 20);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        clearInterval(timer);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port: slowPort } = server.address() as { port: number };
  return ["", "ip4", "127.0.0.1", "tcp", slowPort, ...identity].join("/");
}

it("a block that takes longer than any one wait arrives, from the one peer that was asked", async () => {
  const bytesPerSecond = 250_000;
  const sizeBytes = 1.2 * (answerTimeoutMs / 1_000) * bytesPerSecond;
  const chain = buildChain({ length: 1, txsAt: () => [new Uint8Array(sizeBytes).fill(1)] });
  const servers = [
    await serving(1, new MemoryBlocks(chain)),
    await serving(2, new MemoryBlocks(chain)),
  ];
  const peers = await Promise.all(servers.map((server) => slowAddress(server, bytesPerSecond)));
  const node = createNode(0, { peers });
  await node.host.start();
  await until(() => node.host.peers.length === 2);
  let asked = 0;
  const openStream = node.host.openStream.bind(node.host);
  node.host.openStream = (peerId, protocol, signal) => {
    if (protocol.includes("dataSync")) asked++;
    return openStream(peerId, protocol, signal);
  };
  const gap = {
    parent: { height: 0, hash: emptyBytes, dataHash: headAfter(chain, 0).dataHash },
    target: blockAt(chain, 1),
  };
  const beganMs = performance.now();
  for await (const { height } of createBackfill(node).blocks(gap, never)) expect(height).toBe(1);
  expect(performance.now() - beganMs).toBeGreaterThan(answerTimeoutMs);
  expect(asked).toBe(1);
  expect(node.host.peers).toHaveLength(2);
});

it("an answer that drips is given up", async () => {
  const chain = buildChain({ length: 1, txsAt: () => [new Uint8Array(100_000)] });
  let sentBytes = 0;
  const server = await serving(1, new MemoryBlocks(chain), {
    corrupt: (host) =>
      host.handle(exchangeProtocol(chainId, "data"), async (stream) => {
        for (const byte of dataOf(chain)) {
          await sendBytes(stream, Uint8Array.of(byte), never);
          sentBytes++;
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      }),
  });
  const node = await connectedTo([server]);
  const exchange = new Exchange({ chainId, timeoutMs: 500 }, node.host);
  const answer = await exchange.data(server.host.peerId, { from: 1, to: 1 }, never);
  expect(answer).toMatchObject({ kind: "noAnswer", reason: expect.stringContaining("timeout") });
  expect(sentBytes).toBeGreaterThan(10);
  expect(sentBytes).toBeLessThan(progressBytes);
});

it("a deadline is put off by so many bytes, and by no fewer", async () => {
  const deadline = new ProgressDeadline(300);
  const beganMs = performance.now();
  const feeding = setInterval(() => {
    const isMoving = performance.now() - beganMs < 900;
    deadline.received(isMoving ? progressBytes : 1);
  }, 30);
  await until(() => deadline.signal.aborted);
  clearInterval(feeding);
  expect(performance.now() - beganMs).toBeGreaterThan(1_100);
});

it.each([
  { name: "nothing", bytesPerSecond: 0, usual: 0, isStuck: true },
  { name: "a drip", bytesPerSecond: 100, usual: 0, isStuck: true },
  {
    name: "little, while nobody knows what is usual",
    bytesPerSecond: 10_000,
    usual: 0,
    isStuck: true,
  },
  { name: "enough to begin with", bytesPerSecond: 100_000, usual: 0, isStuck: false },
  { name: "little, as usual", bytesPerSecond: 10_000, usual: 100_000, isStuck: false },
  { name: "far less than usual", bytesPerSecond: 10_000, usual: 1_000_000, isStuck: true },
])("an answer of which $name comes is stuck: $isStuck", ({ bytesPerSecond, usual, isStuck }) => {
  let nowMs = 0;
  const motion = new Motion(() => nowMs);
  const pace = new Pace();
  if (usual > 0) pace.note(usual, 1_000);
  motion.asked();
  for (; nowMs < stealAfterMs; nowMs += 100) {
    expect(motion.isStuck(pace)).toBe(false);
    motion.received(bytesPerSecond / 10);
  }
  expect(motion.isStuck(pace)).toBe(isStuck);
});

it("who reads slowly has the more time the longer the answer, in whole milliseconds, and not for ever", () => {
  let nowMs = 0.25;
  const allowance = new ReaderAllowance(() => nowMs);
  const mebibyte = 1024 * 1024;
  expect(allowance.leftMs(10)).toBe(writeTimeoutMs);
  nowMs = 29_000;
  expect([allowance.leftMs(10), allowance.leftMs(10 * mebibyte)]).toEqual([1_001, writeTimeoutMs]);
  nowMs = 349_000;
  expect([allowance.leftMs(10), allowance.leftMs(10 * mebibyte)]).toEqual([0, 1_001]);
  // What a signal would refuse would end the request as if it were a bug.
  expect(AbortSignal.timeout(allowance.leftMs(mebibyte)).aborted).toBe(false);
});
