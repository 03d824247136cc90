/** Whatever is sent, the answer is the client's fault or none, and the server lives on (P12). */

import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Harness, RawClient, startServer } from "./harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startServer({ limits: { timeoutCheckMs: 20, headersTimeoutMs: 60 } });
});
afterAll(() => harness.stop());

async function statusOf(
  path: string,
  type: string,
  body: Uint8Array<ArrayBuffer>,
): Promise<number> {
  const headers = { "content-type": type };
  const response = await fetch(harness.url + path, { method: "POST", headers, body });
  await response.arrayBuffer();
  return response.status;
}

const paths = fc.constantFrom("/", "/tx", "/tx?wait=accept", "/admin/transfer-leader");
const types = fc.constantFrom("application/json", "text/plain", "application/octet-stream");
const callLike = fc.record(
  {
    jsonrpc: fc.constantFrom("2.0", 2, null),
    id: fc.oneof(fc.integer(), fc.string(), fc.jsonValue()),
    method: fc.constantFrom("status", "block", "broadcast_tx_commit", "constructor", ""),
    params: fc.oneof(
      fc.jsonValue(),
      fc.record({ height: fc.jsonValue() }),
      fc.record({ tx: fc.jsonValue() }),
    ),
  },
  { requiredKeys: [] },
);
const bodies = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.oneof(fc.jsonValue(), callLike, fc.array(callLike)).map((value) => {
    return new TextEncoder().encode(JSON.stringify(value));
  }),
);

it("no body makes the server fail", async () => {
  await fc.assert(
    fc.asyncProperty(paths, types, bodies, async (path, type, body) => {
      expect(await statusOf(path, type, Uint8Array.from(body))).toBeLessThan(500);
    }),
    { numRuns: 300 },
  );
  expect(harness.log.filter(({ level }) => level === "error")).toEqual([]);
});

it("no path makes the server fail", async () => {
  const segment = fc.oneof(fc.string(), fc.constantFrom("block", "state", "%", "%ff", "..", "?"));
  await fc.assert(
    fc.asyncProperty(fc.array(segment, { maxLength: 4 }), async (segments) => {
      const response = await fetch(`${harness.url}/${segments.join("/")}`);
      expect(response.status).toBeLessThan(500);
      await response.arrayBuffer();
    }),
    { numRuns: 200 },
  );
});

it("no bytes on the port make the server fail", async () => {
  const lines = fc.constantFrom(
    "GET /status HTTP/1.1\r\n",
    "POST / HTTP/1.1\r\n",
    "Host: x\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "\r\n",
    "5\r\n",
    "a=b",
    "\x00",
  );
  await fc.assert(
    fc.asyncProperty(fc.array(lines, { maxLength: 8 }), async (parts) => {
      const client = new RawClient(harness.port);
      client.write(parts.join(""));
      client.socket.end();
      expect(await client.untilClosed()).not.toContain("HTTP/1.1 500");
    }),
    { numRuns: 200 },
  );
  expect((await fetch(`${harness.url}/health/live`)).status).toBe(200);
  expect(harness.failures).toEqual([]);
});
