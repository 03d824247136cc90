/** The network that chaos breaks does what it says, or the chaos would show nothing. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, expect, it, vi } from "vitest";
import { Dice } from "../simulation/dice.ts";
import { Bottleneck } from "./bottleneck.ts";
import { Link, type Way } from "./link.ts";
import { Links } from "./links.ts";

const cleanup: (() => void)[] = [];
afterEach(() => {
  for (const task of cleanup.splice(0)) task();
});

class TestWay implements Way {
  isCut = false;
  readonly bottleneck = new Bottleneck();
  ms = 0;
  delayMs(): number {
    return this.ms;
  }
}

/** A client at one end of a link, and what the process at the other end has accepted. */
async function linked() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const there = new TestWay();
  const back = new TestWay();
  const { port: targetPort } = server.address() as AddressInfo;
  const link = new Link({ host: "127.0.0.1", targetPort, there, back });
  await link.open();
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const near = connect({ host: "127.0.0.1", port: link.port });
  const [far] = await accepted;
  cleanup.push(
    () => link.destroy(),
    () => near.destroy(),
    () => far.destroy(),
    () => server.close(),
  );
  return { link, near, far, there, back };
}

async function read(socket: Socket): Promise<string> {
  const [bytes] = await once(socket, "data");
  return String(bytes);
}

async function readAll(socket: Socket, bytes: number): Promise<number> {
  let count = 0;
  for (; count < bytes; count += (await read(socket)).length);
  return count;
}

it("carries bytes both ways, late", async () => {
  const { near, far, there } = await linked();
  there.ms = 200;
  const startedMs = performance.now();
  near.write("a question");
  expect(await read(far)).toBe("a question");
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(199);
  far.write("an answer");
  expect(await read(near)).toBe("an answer");
});

it("keeps the order when the way becomes shorter", async () => {
  const { near, far, there } = await linked();
  there.ms = 100;
  near.write("first ");
  await new Promise((resolve) => setTimeout(resolve, 20));
  there.ms = 0;
  near.write("second");
  let text = "";
  while (text.length < "first second".length) text += await read(far);
  expect(text).toBe("first second");
});

it("holds back what a cut way carries, and the other way goes on", async () => {
  const { near, far, there } = await linked();
  there.isCut = true;
  near.write("late");
  far.write("in time");
  expect(await read(near)).toBe("in time");
  const arrived = read(far);
  there.isCut = false;
  expect(await arrived).toBe("late");
});

it("lets so many bytes pass in a millisecond", async () => {
  const { near, far, there } = await linked();
  there.bottleneck.bytesPerMs = 20;
  const startedMs = performance.now();
  near.write(Buffer.alloc(4_000));
  expect(await readAll(far, 4_000)).toBe(4_000);
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(199);
  // The way back is another, and as wide as ever.
  const answeredMs = performance.now();
  far.write(Buffer.alloc(100_000));
  expect(await readAll(near, 100_000)).toBe(100_000);
  expect(performance.now() - answeredMs).toBeLessThan(2_500);
});

it("delays by a busy way what comes after, and a wide way lets all pass", () => {
  vi.useFakeTimers();
  cleanup.push(() => vi.useRealTimers());
  const bottleneck = new Bottleneck();
  const passed: string[] = [];
  const startedMs = performance.now();
  const send = (name: string, bytes: number) =>
    bottleneck.carry(bytes, () => passed.push(`${name} ${performance.now() - startedMs}`));
  send("wide", 1_000_000);
  bottleneck.bytesPerMs = 10;
  send("first", 1_000);
  send("behind it", 10);
  vi.advanceTimersByTime(150);
  send("after a pause", 100);
  vi.advanceTimersByTime(50);
  expect(passed).toEqual(["wide 0", "first 100", "behind it 101", "after a pause 160"]);
  send("an hour's worth", 36_000_000);
  send("last", 1);
  vi.advanceTimersByTime(1_000);
  expect(passed).toHaveLength(4);
  bottleneck.bytesPerMs = Number.POSITIVE_INFINITY;
  expect(passed.slice(4)).toEqual(["an hour's worth 1200", "last 1200"]);
});

it("makes a sender wait whose way is narrow", async () => {
  const { near, far, there } = await linked();
  far.resume();
  there.bottleneck.bytesPerMs = 1;
  const bytes = Buffer.alloc(64 * 1024 * 1024);
  expect(near.write(bytes)).toBe(false);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(far.bytesRead).toBeLessThan(10_000);
  // What the kernel's buffers and the queue do not hold has not left.
  expect(near.writableLength).toBeGreaterThan(0);
});

it("resets every connection of one node with the others, and no other; new ones open", async () => {
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    socket.on("error", () => {}).resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const ids = ["a", "b", "c"];
  const links = new Links(() => 0, ids, new Dice(1));
  cleanup.push(() => server.close());
  const dial = async (from: string, to: string) => {
    const socket = connect({
      host: "127.0.0.1",
      port: await links.connect(from, { id: to, host: "127.0.0.1", port }),
    });
    const failed = once(socket, "error");
    cleanup.push(
      () => socket.destroy(),
      () => links.nodeEnded(to),
    );
    await once(socket, "connect");
    return { socket, failed };
  };
  const fromA = await dial("a", "b");
  const toA = await dial("c", "a");
  const others = await dial("b", "c");
  await expect.poll(() => accepted).toBe(3);
  links.reset("a");
  expect(await fromA.failed).toMatchObject([{ code: "ECONNRESET" }]);
  expect(await toA.failed).toMatchObject([{ code: "ECONNRESET" }]);
  expect(others.socket.readyState).toBe("open");
  await dial("a", "b");
});

it("ends where the other end ends, and refuses once it is closed", async () => {
  const { link, near, far } = await linked();
  near.resume();
  far.destroy();
  await once(near, "close");
  link.close();
  const late = connect({ host: "127.0.0.1", port: link.port });
  const [error] = await once(late, "error");
  expect(error).toMatchObject({ code: "ECONNREFUSED" });
});
