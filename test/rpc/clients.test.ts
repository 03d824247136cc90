/** Slow, greedy and nonsensical clients cost little, and get an answer where one can be read (P12). */

import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import type { RpcLimits } from "../../src/rpc/options.ts";
import { arrivals, type Harness, host, post, RawClient, startServer } from "./harness.ts";

let harness: Harness;
afterEach(() => harness.stop());

async function start(limits: Partial<RpcLimits> = {}): Promise<Harness> {
  harness = await startServer({ limits });
  return harness;
}

describe("nonsense", () => {
  it.each([
    ["garbage", "\x00\x01\x02 garbage\r\n\r\n", 400, "no HTTP/1.1 request"],
    ["a method that is none", `FOO /status HTTP/1.1\r\n${host}\r\n`, 400, "method is unknown"],
    [
      "another expectation",
      `GET /status HTTP/1.1\r\n${host}Expect: foo\r\n\r\n`,
      417,
      "EXPECTATION_FAILED",
    ],
    ["a TLS hello", "\x16\x03\x01\x02\x00\x01\x00", 400, "plain HTTP"],
    ["a request without a host", "GET /status HTTP/1.1\r\n\r\n", 400, ""],
    [
      "two lengths",
      `POST /tx HTTP/1.1\r\n${host}Content-Length: 3\r\nContent-Length: 4\r\n\r\n`,
      400,
      "",
    ],
    [
      "a length and chunks (request smuggling)",
      `POST /tx HTTP/1.1\r\n${host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      "",
    ],
    [
      "huge headers",
      `GET /status HTTP/1.1\r\n${host}X-Big: ${"x".repeat(20_000)}\r\n\r\n`,
      431,
      "HEADERS_TOO_LARGE",
    ],
    ["a huge path", `GET /state/${"x".repeat(20_000)} HTTP/1.1\r\n${host}\r\n`, 431, ""],
  ])("%s is answered and the connection ends", async (_what, bytes, status, says) => {
    await start();
    const client = new RawClient(harness.port);
    client.write(bytes);
    const answer = await client.untilClosed();
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain(says);
  });

  it("a port scan costs one log line", async () => {
    await start();
    for (let probe = 0; probe < 5; probe++) {
      const client = new RawClient(harness.port);
      client.write("nonsense\r\n\r\n");
      await client.untilClosed();
      const silent = new RawClient(harness.port);
      await once(silent.socket, "connect");
      silent.socket.end();
      await silent.untilClosed();
    }
    expect(harness.log).toHaveLength(1);
    expect(harness.log[0]).toMatchObject({
      level: "warn",
      facts: { reason: "HPE_INVALID_METHOD" },
    });
  });

  it("after an open request no second answer is made up", async () => {
    await start();
    harness.node.isHolding = true;
    const arrived = arrivals(harness.node, 1);
    const client = new RawClient(harness.port);
    client.write(`${post("/tx", "a=b")}nonsense\r\n\r\n`);
    await arrived;
    expect(await client.untilClosed()).toBe("");
  });
});

describe("slow clients", () => {
  const fast = { headersTimeoutMs: 100, requestTimeoutMs: 100, timeoutCheckMs: 20 };

  it.each([
    ["half a header", `GET /status HTTP/1.1\r\n${host}`],
    ["half a body", `POST /tx HTTP/1.1\r\n${host}Content-Length: 100\r\n\r\nhalf`],
    ["nothing at all", ""],
  ])("%s ends in 408", async (_what, bytes) => {
    await start(fast);
    const client = new RawClient(harness.port);
    client.write(bytes);
    const answer = await client.untilClosed();
    expect(answer).toMatch(/^HTTP\/1.1 408 /);
    expect(answer).toContain('"code":"REQUEST_TIMEOUT"');
  });

  it("a client that stays silent while it waits is not slow", async () => {
    await start(fast);
    harness.node.isHolding = true;
    const client = new RawClient(harness.port);
    const arrived = arrivals(harness.node, 1);
    client.write(post("/tx", "a=b"));
    await arrived;
    // Another client runs into the timeouts meanwhile: they have been looked at.
    const slow = new RawClient(harness.port);
    slow.write("GET /");
    await slow.untilClosed();
    harness.node.release();
    expect(await client.until((text) => text.includes("}"))).toMatch(/^HTTP\/1.1 200 /);
    client.socket.destroy();
  });

  it("silence beyond the connection timeout ends the connection and the wait", async () => {
    await start({ connectionTimeoutMs: 50 });
    harness.node.isHolding = true;
    const client = new RawClient(harness.port);
    client.write(post("/tx", "a=b"));
    expect(await client.untilClosed()).toBe("");
    await expect.poll(() => harness.node.abandoned.length).toBe(1);
  });
});

describe("greedy clients", () => {
  it("a body above the limit gets its 413, all of it sent or not", async () => {
    await start({ bodyMaxBytes: 1000 });
    for (const size of [1001, 5_000_000]) {
      const body = "x".repeat(size);
      const response = await fetch(`${harness.url}/tx`, { method: "POST", body });
      expect(response.status).toBe(413);
      expect(await response.json()).toMatchObject({
        error: { code: "BODY_TOO_LARGE", max_bytes: 1000 },
      });
    }
  });

  it("a chunked body above the limit is stopped at the limit", async () => {
    await start({ bodyMaxBytes: 1000 });
    const client = new RawClient(harness.port);
    client.write(`POST /tx HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`);
    client.write(`${(2000).toString(16)}\r\n${"x".repeat(2000)}\r\n`);
    expect(await client.until((text) => text.includes("}"))).toMatch(/^HTTP\/1.1 413 /);
    client.socket.destroy();
  });

  it("a body that is announced too large need not be sent", async () => {
    await start({ bodyMaxBytes: 1000 });
    const client = new RawClient(harness.port);
    client.write(
      `POST /tx HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n`,
    );
    expect(await client.until((text) => text.includes("}"))).toMatch(/^HTTP\/1.1 413 /);
    client.socket.destroy();
    const polite = new RawClient(harness.port);
    polite.write(`POST /tx HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`);
    await polite.until((text) => text.startsWith("HTTP/1.1 100 Continue"));
    polite.write("a=b");
    await polite.until((text) => text.includes("HTTP/1.1 200 OK"));
    polite.socket.destroy();
  });

  it("pipelined requests are answered in order", async () => {
    await start();
    const client = new RawClient(harness.port);
    client.write([1, 2, 3].map((n) => post("/tx", `k=${n}`)).join(""));
    const answers = await client.until((text) => text.split("tx_id").length === 4);
    const heights = [...answers.matchAll(/"height":(\d)/g)].map(([, height]) => height);
    expect(heights).toEqual(["1", "2", "3"]);
    client.socket.destroy();
  });

  it("beyond the requests in flight 503 answers, except for probes (P13)", async () => {
    await start({ requestsInFlightMax: 2 });
    harness.node.isHolding = true;
    const arrived = arrivals(harness.node, 2);
    const greedy = new RawClient(harness.port);
    greedy.write(post("/tx", "a=1") + post("/tx", "a=2"));
    await arrived;
    const refused = await fetch(`${harness.url}/status`);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect((await fetch(`${harness.url}/health/live`)).status).toBe(200);
    // A client that goes away frees what it held, the answers included that never had their turn.
    greedy.socket.destroy();
    await expect.poll(async () => (await fetch(`${harness.url}/status`)).status).toBe(200);
    await expect.poll(() => harness.node.abandoned.length).toBe(2);
  });

  it("the bodies in flight are bounded by what they announce", async () => {
    await start({ bodyMaxBytes: 1000, bodiesInFlightMaxBytes: 1500 });
    const first = new RawClient(harness.port);
    first.write(`POST /tx HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n`);
    await expect
      .poll(async () => {
        const body = "b".repeat(900);
        return (await fetch(`${harness.url}/tx`, { method: "POST", body })).status;
      })
      .toBe(503);
    expect((await fetch(`${harness.url}/tx`, { method: "POST", body: "a=b" })).status).toBe(200);
    first.socket.destroy();
  });

  it("answers that nobody reads are bounded, and not kept for long", async () => {
    await start({ answersInFlightMaxBytes: 100_000_000, answerTimeoutMs: 5_000 });
    // Twice as long in hex: more than the kernel would keep for a client that does not read, which may be 36 MiB.
    harness.node.blocks.append([new Uint8Array(20_000_000)], [new Uint8Array(32)]);
    const block = `${harness.url}/block/1`;
    const size = (await (await fetch(block)).text()).length;
    const slow = [1, 2].map(() => new RawClient(harness.port));
    for (const { socket } of slow) {
      socket.pause();
      socket.write(`GET /block/1 HTTP/1.1\r\n${host}\r\n`);
    }
    await expect.poll(async () => (await fetch(block)).status).toBe(503);
    expect((await fetch(`${harness.url}/status`)).status).toBe(200);
    const readsBlock = { jsonrpc: "2.0", id: 1, method: "block", params: { height: "1" } };
    const sendsTx = {
      jsonrpc: "2.0",
      id: 2,
      method: "broadcast_tx_commit",
      params: { tx: Buffer.from("a=1").toString("base64") },
    };
    const batch = async (...calls: object[]) => {
      const answer = await fetch(harness.url, { method: "POST", body: JSON.stringify(calls) });
      await answer.arrayBuffer();
      return answer.status;
    };
    // What became of a transaction is said in any case: who does not hear it sends it again.
    expect([await batch(readsBlock), await batch(readsBlock, sendsTx)]).toEqual([503, 200]);
    await expect.poll(async () => (await fetch(block)).status, { timeout: 20_000 }).toBe(200);
    for (const { socket } of slow) socket.resume();
    const read = await Promise.all(slow.map((client) => client.untilClosed()));
    expect(Math.max(...read.map(({ length }) => length))).toBeLessThan(size);
  });

  it("connections beyond the limit are closed and logged once", async () => {
    await start({ connectionsMax: 1 });
    const first = new RawClient(harness.port);
    first.write(`GET /health/live HTTP/1.1\r\n${host}\r\n`);
    await first.until((text) => text.includes("OK\n"));
    expect(await new RawClient(harness.port).untilClosed()).toBe("");
    expect(await new RawClient(harness.port).untilClosed()).toBe("");
    expect(harness.log.map(({ sentence }) => sentence)).toEqual(["refused a connection: too many"]);
    first.socket.destroy();
  });
});

it("a client that goes away cancels its wait, and nobody is alarmed", async () => {
  await start();
  harness.node.isHolding = true;
  const arrived = arrivals(harness.node, 1);
  const abort = new AbortController();
  const answer = fetch(`${harness.url}/tx`, { method: "POST", body: "a=b", signal: abort.signal });
  await arrived;
  abort.abort();
  await expect(answer).rejects.toThrow();
  await expect.poll(() => harness.node.abandoned.length).toBe(1);
  expect(harness.log.filter(({ level }) => level !== "debug")).toEqual([]);
});
