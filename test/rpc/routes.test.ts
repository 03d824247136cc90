/** What each path answers: a table of requests, then the shapes that clients depend on. */

import { afterEach, beforeEach, expect, it } from "vitest";
import { type Harness, putKey, startServer } from "./harness.ts";
import { txMaxBytes } from "./memory-node.ts";

let harness: Harness;

beforeEach(async () => {
  harness = await startServer();
  await putKey(harness, "greeting", "hello");
});
afterEach(() => harness.stop());

interface Case {
  /** Method, path and, after two spaces, the body. */
  readonly request: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  /** Of an error answer. */
  readonly code?: string;
  /** What the body must contain. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** What the error message must contain. */
  readonly says?: string;
}

const asJson = { "content-type": "application/json" };

const cases: readonly Case[] = [
  { request: "GET /block/1", status: 200, body: { height: 1, raft_index: 2 } },
  { request: "GET /block/latest", status: 200, body: { height: 1 } },
  { request: "GET /block", status: 200, body: { height: 1 } },
  { request: "GET /block?height=1", status: 200, body: { height: 1 } },
  {
    request: "GET /block/2",
    status: 404,
    code: "BLOCK_NOT_FOUND",
    says: "It has heights 1 to 1",
    body: { earliest_height: 1, latest_height: 1 },
  },
  { request: `GET /block?hash=${"00".repeat(32)}`, status: 404, code: "BLOCK_NOT_FOUND" },
  { request: "GET /block?hash=zz", status: 400, says: "64 hexadecimal digits" },
  { request: "GET /block?hash=00&height=1", status: 400, says: "not by both" },
  { request: "GET /block?hash=00&hash=11", status: 400, says: "given once" },
  { request: "GET /block?heigth=1", status: 400, says: '"heigth", which is not known here' },
  { request: "GET /block/-1", status: 400, says: "is no height" },
  { request: "GET /block/1e3", status: 400, says: "is no height" },
  { request: "GET /block/99999999999999999999", status: 400, says: "is no height" },

  { request: "POST /tx  a=b", status: 200, body: { height: 2, index: 0 } },
  { request: "POST /tx?wait=commit  a=b", status: 200, body: { height: 2 } },
  { request: "POST /tx?wait=accept  a=b", status: 202 },
  { request: "POST /tx?wait=soon  a=b", status: 400, says: "must be `commit` or `accept`" },
  { request: "POST /tx?wiat=commit  a=b", status: 400, says: '"wiat"' },
  { request: "POST /tx", status: 400, says: "The body is empty" },
  { request: "POST /tx  no equals", status: 400, code: "INVALID_TRANSACTION", says: "key=value." },
  { request: 'POST /tx  {"a":1}', status: 400, says: "Content-Type: application/json" },
  { request: "POST /tx  {", headers: asJson, status: 400, says: "not valid JSON" },
  { request: "POST /tx  []", headers: asJson, status: 400, code: "BAD_REQUEST" },
  {
    request: 'POST /tx  {"type":"kv:del","key":"a","value":"b"}',
    headers: asJson,
    status: 400,
    says: '"type" in the body must be "kv:put"',
  },
  {
    request: 'POST /tx  {"type":"kv:put","key":"a=b","value":"c"}',
    headers: asJson,
    status: 400,
    says: "must not contain `=`",
  },
  {
    request: 'POST /tx  {"type":"kv:put","key":"\\ud800","value":"c"}',
    headers: asJson,
    status: 400,
    says: "half a surrogate pair",
  },
  {
    request: 'POST /tx  {"type":"kv:put","key":"k","value":"v","__proto__":{"x":1}}',
    headers: asJson,
    status: 400,
    says: "__proto__",
  },
  {
    request: `POST /tx  a=${"b".repeat(txMaxBytes)}`,
    status: 413,
    code: "TRANSACTION_TOO_LARGE",
    body: { max_bytes: txMaxBytes },
  },
  { request: "POST /tx  a=b", headers: { "idempotency-key": "has space" }, status: 400 },
  { request: "POST /tx  a=b", headers: { "content-type": ";;" }, status: 415 },
  { request: "POST /tx  a=b", headers: { "content-type": "text/plain" }, status: 200 },

  { request: "GET /state/greeting", status: 200, body: { key: "greeting", value: "hello" } },
  { request: "GET /state/greeting?consistency=stale", status: 200, body: { height: 1 } },
  { request: "GET /state/greeting?consistency=eventual", status: 400, says: "`linearizable`" },
  {
    request: "GET /state/absent",
    status: 404,
    code: "KEY_NOT_FOUND",
    body: { height: 1 },
    says: "at height 1",
  },
  { request: `GET /state/${"long".repeat(500)}`, status: 404, code: "KEY_NOT_FOUND" },
  { request: "GET /state/a/b%2Fc", status: 404, says: '"a/b/c"' },
  { request: "GET /state/", status: 400, says: "The key is missing" },
  { request: "GET /state/%ff", status: 400, code: "BAD_REQUEST", says: "percent sign" },

  { request: "GET /nothing", status: 404, code: "PATH_NOT_FOUND", says: "/block/:height" },
  { request: "GET /statsu", status: 404, says: "There is no GET /statsu. Known paths: /," },
  { request: "PUT /tx  a=b", status: 405, code: "METHOD_NOT_ALLOWED", says: "use POST" },
  { request: "DELETE /block/1", status: 405, says: "use GET or HEAD" },
  { request: "PROPFIND /status", status: 405, code: "METHOD_NOT_ALLOWED" },
  { request: "GET /", status: 200, body: { name: "ev-sequencer" } },
];

it.each(cases)(
  "$request answers $status",
  async ({ request, headers, status, code, body, says }) => {
    const [line = "", ...rest] = request.split("  ");
    const [method = "", path = ""] = line.split(" ");
    const response = await fetch(harness.url + path, {
      method,
      ...(headers && { headers }),
      ...(rest.length > 0 && { body: Buffer.from(rest.join("  ")) }),
    });
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    const answer: unknown = await response.json();
    expect({ status: response.status, answer }).toMatchObject({ status });
    if (status >= 400) {
      const message: unknown = expect.stringContaining(says ?? "");
      expect(answer).toMatchObject({ error: { message, ...(code && { code }), ...body } });
    } else {
      expect(answer).toMatchObject(body ?? {});
    }
  },
);

async function get(path: string): Promise<unknown> {
  return (await fetch(harness.url + path)).json();
}

it("the cluster has exactly the promised fields", async () => {
  const cluster: unknown = await get("/cluster");
  expect(cluster).toMatchInlineSnapshot(`
    {
      "commitIndex": 42,
      "lastApplied": 41,
      "leaderId": "node-1",
      "nodes": [
        {
          "address": "10.0.0.1:5001",
          "health": "Healthy",
          "height": 0,
          "id": "node-1",
          "lastHeartbeat": null,
          "matchIndex": 40,
          "role": "leader",
          "rttMs": null,
          "suffrage": "voter",
        },
        {
          "address": "10.0.0.2:5001",
          "health": "Healthy",
          "height": 1,
          "id": "node-2",
          "lastHeartbeat": "2025-06-15T10:30:00.000Z",
          "matchIndex": 41,
          "role": "follower",
          "rttMs": 1.5,
          "suffrage": "voter",
        },
        {
          "address": "10.0.0.3:5001",
          "health": "Unreachable",
          "height": 2,
          "id": "node-3",
          "lastHeartbeat": "2025-06-15T10:30:00.000Z",
          "matchIndex": 42,
          "role": "follower",
          "rttMs": 1.5,
          "suffrage": "voter",
        },
      ],
      "term": 3,
    }
  `);
});

it("a block has header, data and signature, bytes in hexadecimal", async () => {
  const block: unknown = await get("/block/1");
  expect(block).toMatchInlineSnapshot(`
    {
      "app_hash": "1df09d352aca0411724118d4a86ec74e87a24f2d39db7aded76bad4c4c601457",
      "data": {
        "metadata": {
          "chain_id": "test-chain",
          "height": 1,
          "last_data_hash": "",
          "time_ns": "1750000001000000500",
        },
        "txs": [
          "6772656574696e673d68656c6c6f",
        ],
      },
      "hash": "310b2481ed85bade6713ec928b58cc3e628311a0df46d3828b8c3f4a5a51858d",
      "header": {
        "app_hash": "",
        "chain_id": "test-chain",
        "data_hash": "493435e2075cfc8553b40f8f6a48cba1bcc8078534ec71ee1d0524cf8c6a3acd",
        "height": 1,
        "last_header_hash": "",
        "proposer_address": "abcd",
        "time": "2025-06-15T15:06:41.0000005Z",
        "time_ns": "1750000001000000500",
        "validator_hash": "",
        "version": {
          "app": 1,
          "block": 11,
        },
      },
      "height": 1,
      "raft_index": 2,
      "raft_term": 1,
      "signature": "050607",
      "signer": {
        "address": "abcd",
        "public_key": "0801",
      },
      "tx_ids": [
        "493435e2075cfc85",
      ],
    }
  `);
});

it("a block is found by its hash, with and without 0x, in either case", async () => {
  const hash = Buffer.from(harness.node.blocks.head.hash).toString("hex");
  for (const text of [hash, `0x${hash}`, hash.toUpperCase()]) {
    expect(await get(`/block?hash=${text}`)).toMatchObject({ height: 1, hash });
  }
});

it("a value that is no text is given as base64", async () => {
  const body = Buffer.from([0x62, 0x3d, 0xff, 0x00]);
  await fetch(`${harness.url}/tx`, { method: "POST", body });
  expect(await get("/state/b")).toEqual({ key: "b", value: null, value_base64: "/wA=", height: 2 });
});

it("every listed path is there, and every path is listed", async () => {
  const { endpoints } = (await get("/")) as { endpoints: { method: string; path: string }[] };
  expect(endpoints.map(({ method, path }) => `${method} ${path}`)).toMatchInlineSnapshot(`
    [
      "GET /",
      "GET /status",
      "GET /cluster",
      "GET /raft/node",
      "GET /net_info",
      "GET /health/live",
      "GET /livez",
      "GET /health/ready",
      "GET /readyz",
      "GET /health/leader",
      "GET /leader",
      "GET /block/:height",
      "GET /block?hash=",
      "GET /state/:key",
      "POST /tx",
      "POST /",
      "POST /admin/transfer-leader",
    ]
  `);
});

it("names a damaged block, by any path, and says all the rest", async () => {
  await putKey(harness, "second", "block");
  harness.node.blocks.damagedHeight = 1;
  for (const path of ["/block/1", "/block?height=1"]) {
    const response = await fetch(harness.url + path);
    expect(response.status).toBe(500);
    const body = await response.json();
    expect(body).toMatchObject({ error: { code: "BLOCK_DAMAGED", height: 1 } });
    expect(JSON.stringify(body)).toContain("Block 1 is damaged.");
  }
  expect((await fetch(`${harness.url}/block/2`)).status).toBe(200);
  const status = await (await fetch(`${harness.url}/status`)).json();
  expect(status).toMatchObject({
    result: { sync_info: { earliest_block_height: "1", latest_block_height: "2" } },
  });
  expect(harness.failures).toEqual([]);
});
