/** The network of `bench -- peers` adds delay and nothing else, or the comparison would be of proxies. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { SlowNetwork } from "../../bench/network/slow-network.ts";
import { portPicker } from "../../src/devnet/free-ports.ts";

const host = "127.0.0.1";
const oneWayMs = 50;
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const task of cleanup.splice(0)) await task();
});

async function slowNetwork() {
  const server = createServer();
  server.listen(0, host);
  await once(server, "listening");
  const { port: to } = server.address() as AddressInfo;
  const via = await portPicker()(host);
  const network = new SlowNetwork({ host, oneWayMs, ways: [{ to, via }] });
  cleanup.push(
    () => server.close(),
    () => network.stop(),
  );
  await network.open(to);
  return { server, network, to, via };
}

function dial(port: number): Socket {
  const socket = connect({ host, port, noDelay: true });
  // At the end of a test its other end goes first.
  socket.on("error", () => {});
  cleanup.push(() => socket.destroy());
  return socket;
}

it("carries many messages at once, each as late as one alone", async () => {
  const { server, via } = await slowNetwork();
  server.on("connection", (socket) => socket.pipe(socket));
  const socket = dial(via);
  await once(socket, "connect");
  const messages = 40;
  const sizeBytes = 10_000;
  const sentMs: number[] = [];
  const tripsMs: number[] = [];
  let receivedBytes = 0;
  const allBack = new Promise<void>((resolve) => {
    socket.on("data", (chunk) => {
      receivedBytes += chunk.length;
      while (tripsMs.length < Math.floor(receivedBytes / sizeBytes)) {
        tripsMs.push(performance.now() - (sentMs[tripsMs.length] ?? Number.NaN));
      }
      if (tripsMs.length === messages) resolve();
    });
  });
  for (let nth = 0; nth < messages; nth++) {
    sentMs.push(performance.now());
    socket.write(Buffer.alloc(sizeBytes, nth));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await allBack;
  expect(Math.min(...tripsMs)).toBeGreaterThanOrEqual(2 * oneWayMs - 1);
  // One after the other they would take as long as all of them together, on a busy machine too.
  const elapsedMs = performance.now() - (sentMs[0] ?? Number.NaN);
  expect(elapsedMs).toBeLessThan(tripsMs.reduce((sum, tripMs) => sum + tripMs, 0) / 2);
});

it("refuses for a process that has ended, and leads to it again when it is back", async () => {
  const { server, network, to, via } = await slowNetwork();
  network.close(to);
  await expect.poll(() => outcomeOf(dial(via))).toBe("ECONNREFUSED");
  const accepted = once(server, "connection");
  await network.open(to);
  dial(via);
  await accepted;
});

/** "connected", or the code of why not. */
function outcomeOf(socket: Socket): Promise<string | undefined> {
  return once(socket, "connect").then(
    () => "connected",
    (error: NodeJS.ErrnoException) => error.code,
  );
}
