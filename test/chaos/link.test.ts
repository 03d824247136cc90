/** The network that chaos breaks does what it says, or the chaos would show nothing. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { Link, type Way } from "./link.ts";

const cleanup: (() => void)[] = [];
afterEach(() => {
  for (const task of cleanup.splice(0)) task();
});

class TestWay implements Way {
  isCut = false;
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
