/** Failures inside the node, and the server's own start and end. */

import { once } from "node:events";
import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { RpcError } from "../../src/rpc/errors.ts";
import type { RpcLimits } from "../../src/rpc/options.ts";
import { createRpcServer } from "../../src/rpc/server.ts";
import { arrivals, defaults, type Harness, host, post, RawClient, startServer } from "./harness.ts";
import { MemoryNode } from "./memory-node.ts";

let harness: Harness;
afterEach(() => harness.stop());

async function start(limits: Partial<RpcLimits> = {}): Promise<Harness> {
  harness = await startServer({ limits });
  return harness;
}

describe("failures inside", () => {
  it("are told by an incident id alone", async () => {
    await start();
    harness.node.fault = new Error("secret: /etc/passphrase");
    const response = await fetch(`${harness.url}/cluster`);
    expect(response.status).toBe(500);
    const body = (await response.json()) as { error: { incident: string; message: string } };
    expect(JSON.stringify(body)).not.toContain("secret");
    expect(body.error.message).toContain(body.error.incident);
    expect(harness.log).toEqual([
      {
        level: "error",
        facts: {
          incident: body.error.incident,
          method: "GET",
          path: "/cluster",
          error: "secret: /etc/passphrase",
        },
        sentence: "request failed",
      },
    ]);
    expect(harness.failures).toEqual([]);
  });

  it("that break an invariant stop the node", async () => {
    await start();
    harness.node.fault = new InvariantError("heights never go back");
    expect((await fetch(`${harness.url}/status`)).status).toBe(500);
    expect(harness.failures).toEqual([harness.node.fault]);
  });
});

describe("start", () => {
  it("on a port in use names rpc.address", async () => {
    await start();
    const server = createRpcServer({ ...defaults([]), port: harness.port }, new MemoryNode());
    const error = await server.start().catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code: "RPC_ADDRESS_IN_USE" });
    expect(String(error)).toContain(`rpc.address 127.0.0.1:${harness.port} is in use`);
    await server.stop();
  });

  it("on an address of another machine says so", async () => {
    await start();
    const server = createRpcServer({ ...defaults([]), host: "192.0.2.1" }, new MemoryNode());
    await expect(server.start()).rejects.toThrow("no network interface of this machine");
  });

  it("takes the node's own logger", async () => {
    harness = await startServer({ log: createLogger({ level: "error", format: "text" }) });
    expect((await fetch(`${harness.url}/health/live`)).status).toBe(200);
  });
});

describe("stop", () => {
  it("lets open requests end, and then lets the port go", async () => {
    await start();
    harness.node.isHolding = true;
    const arrived = arrivals(harness.node, 1);
    const answer = fetch(`${harness.url}/tx`, { method: "POST", body: "a=b" });
    await arrived;
    const stopped = harness.stop();
    expect(harness.stop()).toBe(stopped);
    harness.node.release();
    const response = await answer;
    expect(response.status).toBe(200);
    expect(response.headers.get("connection")).toBe("close");
    await stopped;
    const taken = createServer().listen(harness.port, "127.0.0.1");
    await once(taken, "listening");
    taken.close();
  });

  it("does not wait for half a request", async () => {
    await start({ stopTimeoutMs: 3_600_000, requestTimeoutMs: 3_600_000 });
    const half = new RawClient(harness.port);
    half.write(`GET /health/live HTTP/1.1\r\n${host}\r\nGET /stat`);
    await half.until((text) => text.includes("OK\n"));
    await harness.stop();
  });

  it("waits for nobody longer than its limit", async () => {
    await start({ stopTimeoutMs: 50 });
    harness.node.isHolding = true;
    const arrived = arrivals(harness.node, 1);
    const client = new RawClient(harness.port);
    client.write(post("/tx", "a=b"));
    await arrived;
    await harness.stop();
    expect(await client.untilClosed()).toBe("");
    await expect.poll(() => harness.node.abandoned.length).toBe(1);
    expect(harness.log).toContainEqual({
      level: "warn",
      facts: { requests: 1 },
      sentence: "closing connections with open requests",
    });
  });
});
