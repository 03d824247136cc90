/** What a node says that cannot take part in anything yet. */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { RpcError } from "../../src/rpc/errors.ts";
import { StartingServer } from "../../src/rpc/starting-server.ts";
import { defaults } from "./harness.ts";

const options = { ...defaults([]), reason: "it waits for something" };

it.each([
  ["GET", "/health/live", 200, "OK\n"],
  ["GET", "/livez?verbose", 200, "OK\n"],
  ["GET", "/health/ready", 503, "UNREADY: it waits for something\n"],
  ["GET", "/readyz", 503, "UNREADY: it waits for something\n"],
  ["GET", "/health/leader", 503, "NOT LEADER: it waits for something\n"],
  ["GET", "/status", 503, /"UNAVAILABLE".*starting: it waits for something\. Send/],
  ["POST", "/tx", 503, /"UNAVAILABLE".*starting: it waits for something\. Send/],
])("%s %s is answered %i", async (method, path, status, body) => {
  const server = new StartingServer(options);
  const port = await server.start();
  onTestFinished(() => server.stop());
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  expect(answer.status).toBe(status);
  expect(answer.headers.get("connection")).toBe("close");
  expect(await answer.text()).toMatch(body);
});

it("leaves its port to the next, whoever is still connected", async () => {
  const server = new StartingServer(options);
  const port = await server.start();
  await fetch(`http://127.0.0.1:${port}/status`);
  await server.stop();
  const next = new StartingServer({ ...options, port });
  expect(await next.start()).toBe(port);
  await next.stop();
});

it("says which setting is wrong where the port is taken", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void other.close());
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const failure = new StartingServer({ ...options, port }).start();
  await expect(failure).rejects.toThrow(RpcError);
  await expect(failure).rejects.toThrow(/rpc\.address 127\.0\.0\.1:\d+ is in use/);
});
