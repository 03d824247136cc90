/** JSON-RPC 2.0 at `POST /`: the protocol's rules, and CometBFT's shapes. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Harness, startServer } from "./harness.ts";

let harness: Harness;

beforeEach(async () => {
  harness = await startServer({ limits: { batchMax: 3, batchAnswerMaxBytes: 3000 } });
});
afterEach(() => harness.stop());

async function post(body: string): Promise<{ status: number; answer: unknown }> {
  const response = await fetch(harness.url, { method: "POST", body });
  const text = await response.text();
  return { status: response.status, answer: text === "" ? null : JSON.parse(text) };
}

function call(method: string, params?: unknown, id: unknown = 1): object {
  return { jsonrpc: "2.0", id, method, ...(params !== undefined && { params }) };
}

async function ask(method: string, params?: unknown): Promise<unknown> {
  return (await post(JSON.stringify(call(method, params)))).answer;
}

function error(code: number, message: string, says: string): object {
  const data: unknown = expect.stringContaining(says);
  return { jsonrpc: "2.0", error: { code, message, data } };
}

/** An object with arrays in one another. */
function nested(levels: number): string {
  return `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
}

const tx = Buffer.from("a=b").toString("base64");

it.each([
  ["{", error(-32700, "Parse error", "not valid JSON")],
  ["", error(-32700, "Parse error", "empty")],
  [nested(64), error(-32600, "Invalid Request", "A call is an object")],
  [nested(65), error(-32700, "Parse error", "more than 64 deep")],
  [nested(500_000), error(-32700, "Parse error", "more than 64 deep")],
  ["17", error(-32600, "Invalid Request", "A call is an object")],
  ['{"jsonrpc":"1.0","id":1,"method":"status"}', error(-32600, "Invalid Request", "2.0")],
  ['{"jsonrpc":"2.0","id":{},"method":"status"}', error(-32600, "Invalid Request", "the id")],
  ["[]", error(-32600, "Invalid Request", "1 to 3 calls; this one has 0")],
  ["[1,2,3,4]", error(-32600, "Invalid Request", "this one has 4")],
  [call("no_such"), error(-32601, "Method not found", "there are status,")],
  [call("__proto__"), error(-32601, "Method not found", "there are status,")],
  [call("block", { height: "x" }), error(-32602, "Invalid params", "is no height")],
  [call("block", { height: 1.5 }), error(-32602, "Invalid params", "is no height")],
  [call("block", { hight: 1 }), error(-32602, "Invalid params", '"hight"')],
  [call("block", [1, 2]), error(-32602, "Invalid params", "At most 1 params")],
  [call("block", "1"), error(-32602, "Invalid params", "")],
  [call("block", { height: 9 }), error(-32000, "BLOCK_NOT_FOUND", "It has no blocks yet")],
  [call("broadcast_tx_commit", { tx: "%" }), error(-32602, "Invalid params", "base64")],
  [call("broadcast_tx_commit", {}), error(-32602, "Invalid params", '"tx" in the params')],
])("%.40j is refused", async (body, expected) => {
  const { status, answer } = await post(typeof body === "string" ? body : JSON.stringify(body));
  expect(status).toBe(200);
  expect(answer).toMatchObject(expected);
});

it("echoes the id, whatever its kind", async () => {
  for (const id of [0, "seven", null, -1]) {
    expect((await post(JSON.stringify(call("health", [], id)))).answer).toEqual({
      jsonrpc: "2.0",
      id,
      result: {},
    });
  }
});

it("answers nothing to a notification, and does what it says", async () => {
  const body = { jsonrpc: "2.0", method: "broadcast_tx_commit", params: [tx] };
  expect(await post(JSON.stringify(body))).toEqual({ status: 204, answer: null });
  expect(harness.node.blocks.head.height).toBe(1);
});

describe("a batch", () => {
  it("is answered in its order, without its notifications", async () => {
    const { id: _id, ...notification } = call("health") as { id: unknown };
    const batch = [call("health", [], 1), notification, call("nope", [], 2)];
    const { answer } = await post(JSON.stringify(batch));
    expect(answer).toMatchObject([{ id: 1 }, { id: 2, error: { code: -32601 } }]);
  });

  it("waits for all its commits together", async () => {
    harness.node.isHolding = true;
    let arrived = 0;
    harness.node.onSubmit = () => {
      arrived += 1;
      // Only once both are there does either go on.
      if (arrived === 2) setImmediate(() => harness.node.release());
    };
    const batch = [1, 2].map((id) => call("broadcast_tx_commit", { tx }, id));
    const { answer } = await post(JSON.stringify(batch));
    expect(answer).toMatchObject([{ result: { height: "1" } }, { result: { height: "2" } }]);
  });

  it("stops before its answer fills the memory", async () => {
    await ask("broadcast_tx_commit", {
      tx: Buffer.from(`a=${"b".repeat(3000)}`).toString("base64"),
    });
    const batch = [1, 2].map((id) => call("block", { height: "1" }, id));
    const { answer } = await post(JSON.stringify(batch));
    expect(answer).toMatchObject([
      { result: { block_id: {} } },
      { error: { code: -32000, message: "RESPONSE_TOO_LARGE" } },
    ]);
  });
});

it("status is the result of GET /status", async () => {
  const rest = (await (await fetch(`${harness.url}/status`)).json()) as { result: unknown };
  expect(await ask("status")).toEqual({ jsonrpc: "2.0", id: 1, result: rest.result });
});

it("net_info is the result of GET /net_info, in CometBFT's shape", async () => {
  const rest = (await (await fetch(`${harness.url}/net_info`)).json()) as { result: unknown };
  expect(await ask("net_info")).toEqual({ jsonrpc: "2.0", id: 1, result: rest.result });
  expect(rest.result).toEqual({
    listening: true,
    listeners: ["/ip4/127.0.0.1/tcp/7676/p2p/12D3KooWtest"],
    n_peers: "1",
    peers: [
      {
        node_info: { id: "12D3KooWpeer", listen_addr: "/ip4/10.0.0.2/tcp/26656" },
        is_outbound: true,
        remote_ip: "10.0.0.2",
      },
    ],
  });
});

it("block has CometBFT's shape, and the signature of the block before", async () => {
  await ask("broadcast_tx_commit", { tx });
  await ask("broadcast_tx_commit", { tx });
  expect(await ask("block", { height: "2" })).toMatchInlineSnapshot(`
    {
      "id": 1,
      "jsonrpc": "2.0",
      "result": {
        "block": {
          "data": {
            "txs": [
              "YT1i",
            ],
          },
          "evidence": {
            "evidence": [],
          },
          "header": {
            "app_hash": "9FAFE85C7B6D5F96B228248023BC66F660FBE354B93D4FF6C48FFBBD4D0CD3B9",
            "chain_id": "test-chain",
            "consensus_hash": "",
            "data_hash": "42144F3939C3FFBBF0BF8B1F12AFFB5C23A4C5BD41E0FF672D54A5754F062058",
            "evidence_hash": "",
            "height": "2",
            "last_block_id": {
              "hash": "629110493A65CAD67752D14903C6D96D707CAA47835925FE4E7D25D51AD5F1E0",
              "parts": {
                "hash": "",
                "total": 1,
              },
            },
            "last_commit_hash": "",
            "last_results_hash": "",
            "next_validators_hash": "",
            "proposer_address": "ABCD",
            "time": "2025-06-15T15:06:42.000001Z",
            "validators_hash": "",
            "version": {
              "app": "1",
              "block": "11",
            },
          },
          "last_commit": {
            "block_id": {
              "hash": "629110493A65CAD67752D14903C6D96D707CAA47835925FE4E7D25D51AD5F1E0",
              "parts": {
                "hash": "",
                "total": 1,
              },
            },
            "height": "1",
            "round": 0,
            "signatures": [
              {
                "block_id_flag": 2,
                "signature": "BQYH",
                "timestamp": "2025-06-15T15:06:41.0000005Z",
                "validator_address": "ABCD",
              },
            ],
          },
        },
        "block_id": {
          "hash": "2A0F3E05340273D923607A03BB3C0B301BFBD32F71BDB08053B007D025997B9B",
          "parts": {
            "hash": "",
            "total": 1,
          },
        },
      },
    }
  `);
  expect(await ask("block", [2])).toEqual(await ask("block"));
});

it("broadcast_tx_commit answers with the height", async () => {
  expect(await ask("broadcast_tx_commit", { tx })).toMatchInlineSnapshot(`
    {
      "id": 1,
      "jsonrpc": "2.0",
      "result": {
        "check_tx": {
          "code": 0,
          "codespace": "",
          "data": null,
          "events": [],
          "gas_used": "0",
          "gas_wanted": "0",
          "info": "",
          "log": "",
        },
        "hash": "42144F3939C3FFBBF0BF8B1F12AFFB5C23A4C5BD41E0FF672D54A5754F062058",
        "height": "1",
        "index": 0,
        "tx_id": "42144f3939c3ffbb",
        "tx_result": {
          "code": 0,
          "codespace": "",
          "data": null,
          "events": [],
          "gas_used": "0",
          "gas_wanted": "0",
          "info": "",
          "log": "",
        },
      },
    }
  `);
});

it("broadcast_tx_sync answers before the commit", async () => {
  expect(await ask("broadcast_tx_sync", [tx])).toMatchInlineSnapshot(`
    {
      "id": 1,
      "jsonrpc": "2.0",
      "result": {
        "code": 0,
        "codespace": "",
        "data": "",
        "hash": "42144F3939C3FFBBF0BF8B1F12AFFB5C23A4C5BD41E0FF672D54A5754F062058",
        "log": "",
        "tx_id": "42144f3939c3ffbb",
      },
    }
  `);
  expect(harness.node.blocks.head.height).toBe(0);
});

it("a malformed transaction has a code, as in CometBFT, and no error", async () => {
  const bad = Buffer.from("nonsense").toString("base64");
  const log = "a transaction is key=value.";
  expect(await ask("broadcast_tx_commit", [bad])).toMatchObject({
    result: { check_tx: { code: 1, log }, height: "0" },
  });
  expect(await ask("broadcast_tx_sync", [bad])).toMatchObject({ result: { code: 1, log } });
});

it("an idempotency_key counts as the header does", async () => {
  const params = { tx, idempotency_key: "order-1" };
  const first = await ask("broadcast_tx_commit", params);
  expect(await ask("broadcast_tx_commit", params)).toEqual(first);
  expect(harness.node.blocks.head.height).toBe(1);
});

it("without a commit says whether there may still be one", async () => {
  harness.node.lostMajority = { mayCommit: true };
  expect(await ask("broadcast_tx_commit", { tx })).toMatchObject(
    error(-32000, "UNAVAILABLE", "may still be committed"),
  );
});

it("a body too large is refused in JSON-RPC's shape", async () => {
  const { status, answer } = await post("x".repeat(2 * 1024 * 1024 + 1));
  expect(status).toBe(413);
  expect(answer).toMatchObject({ id: null, ...error(-32000, "BODY_TOO_LARGE", "2097152 bytes") });
});
