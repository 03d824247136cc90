/** A wallet at a node's RPC: transactions go to the node, everything else to the client beside it, unchanged. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WalletCalls } from "../../src/execution/engine/wallet-calls.ts";
import { Refusal, ScriptedServer } from "../execution/engine/scripted-server.ts";
import { type Harness, postJson, startServer } from "./harness.ts";
import { MemoryNode, queueMax, txMaxBytes } from "./memory-node.ts";

let client: ScriptedServer;
let calls: WalletCalls;
let harness: Harness;

beforeEach(async () => {
  client = new ScriptedServer(({ method }) => `client's ${method}`);
  calls = new WalletCalls(await client.start());
  const node = new MemoryNode();
  node.ethereum = calls;
  harness = await startServer({ limits: { batchMax: 5 } }, node);
});
afterEach(async () => {
  await harness.stop();
  calls.close();
  await client.stop();
});

function call(method: string, params: unknown = [], id: unknown = 1): object {
  return { jsonrpc: "2.0", id, method, params };
}

async function ask(body: unknown): Promise<unknown> {
  const response = await postJson(harness, "/", body);
  expect(response.status).toBe(200);
  return await response.json();
}

const signed = `0x02${Buffer.from("a=b").toString("hex")}`;

describe("eth_sendRawTransaction", () => {
  it("goes to the node, which keeps it, and not past it to the client", async () => {
    const answer = await ask(call("eth_sendRawTransaction", [signed], "seven"));
    expect(answer).toEqual({ jsonrpc: "2.0", id: "seven", result: expect.stringMatching(/^0x/) });
    expect(client.asked).toEqual([]);
  });

  it.each([
    [[], -32602, /params/],
    [["0x123"], -32602, /must be the signed transaction in hexadecimal/],
    [["02a"], -32602, /hexadecimal/],
    [[signed, signed], -32602, /params/],
    [{ tx: signed }, -32602, /params/],
    [["0x02"], -32000, /^a transaction is key=value/],
    [[`0x${"3d".repeat(txMaxBytes + 1)}`], -32000, /at most 4096 are taken/],
  ])("of %j is refused as a client does it", async (params, code, message) => {
    const answer = await ask(call("eth_sendRawTransaction", params));
    expect(answer).toEqual({
      jsonrpc: "2.0",
      id: 1,
      error: { code, message: expect.stringMatching(message) },
    });
  });

  it("is told to come again where the queue is full", async () => {
    for (let nth = 0; nth < queueMax; nth++) await ask(call("eth_sendRawTransaction", [signed]));
    const answer = await ask(call("eth_sendRawTransaction", [signed]));
    expect(answer).toMatchObject({
      error: { code: -32005, message: expect.stringMatching(/queue is full/) },
    });
  });
});

describe("any other call", () => {
  it("is passed on with its params, and answered letter for letter", async () => {
    const result = '{"big":12345678901234567890,"ä":[1.50]}';
    client.handler = (_asked, response) => {
      response.end(`{"jsonrpc":"2.0","id":"x","result":${result}}\n`);
    };
    const params = [{ to: "0x11", data: "0x" }, "latest"];
    const response = await postJson(harness, "/", call("eth_call", params, "x"));
    expect(await response.text()).toBe(`{"jsonrpc":"2.0","id":"x","result":${result}}`);
    expect(client.asked).toMatchObject([{ method: "eth_call", params }]);
  });

  it.each(["net_version", "web3_clientVersion", "eth_getLogs"])(
    "is passed on: %s",
    async (name) => {
      expect(await ask(call(name))).toMatchObject({ result: `client's ${name}` });
    },
  );

  it.each(["status", "txpool_content", "debug_traceCall", "admin_peers", "ethx_call"])(
    "is none of a wallet's: %s",
    async (name) => {
      await ask(call(name));
      expect(client.asked).toEqual([]);
    },
  );

  it("has the client's own error", async () => {
    client.handler = () => new Refusal(3, "execution reverted");
    expect(await ask(call("eth_call"))).toEqual({
      jsonrpc: "2.0",
      id: 1,
      error: { code: 3, message: "execution reverted" },
    });
  });

  it.each([
    "eth_sendTransaction",
    "eth_resend",
    "eth_sendRawTransactionSync",
    "eth_sendRawTransactionConditional",
  ])("would leave a transaction with one client alone, and is refused: %s", async (name) => {
    const message = expect.stringContaining("send it by eth_sendRawTransaction");
    expect(await ask(call(name))).toMatchObject({ error: { code: -32601, message } });
    expect(client.asked).toEqual([]);
  });

  it.each([
    ["no JSON", "<html>"],
    ["no answer", '{"error":"busy"}'],
    ["another protocol", '{"result":1}'],
  ])("has an error where the client sends %s, and the log says why", async (_what, body) => {
    client.handler = (_asked, response) => void response.end(body);
    const message = expect.stringContaining("has given no answer");
    expect(await ask(call("eth_blockNumber"))).toMatchObject({ error: { code: -32002, message } });
    expect(harness.log).toMatchObject([{ sentence: "a wallet's call has no answer" }]);
  });

  it("has an error that names no address of ours where the client is gone", async () => {
    const batch = [call("eth_blockNumber", [], 1), call("eth_sendRawTransaction", [signed], 2)];
    await client.stop();
    const answer = await ask(batch);
    expect(answer).toMatchObject([
      { id: 1, error: { code: -32002 } },
      { id: 2, result: expect.stringMatching(/^0x/) },
    ]);
    expect(JSON.stringify(answer)).not.toContain("127.0.0.1");
    expect(harness.log).toMatchObject([
      { facts: { reason: expect.stringContaining("127.0.0.1") } },
    ]);
    await client.start();
  });

  it("is given up when its wallet goes away, and the log says nothing of the client", async () => {
    const arrived = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    client.handler = (_asked, response) => {
      response.on("close", gone.resolve);
      arrived.resolve();
    };
    const wallet = new AbortController();
    const asked = fetch(harness.url, {
      method: "POST",
      body: JSON.stringify(call("eth_blockNumber")),
      signal: wallet.signal,
    });
    await arrived.promise;
    wallet.abort();
    await expect(asked).rejects.toThrow();
    await gone.promise;
    client.handler = () => "well";
    expect(await ask(call("eth_blockNumber"))).toMatchObject({ result: "well" });
    expect(harness.log).toEqual([]);
  });
});

it("a batch may hold both, in its order, and nothing for a notification", async () => {
  const { id: _id, ...notification } = call("eth_syncing") as { id: unknown };
  const batch = [
    call("eth_chainId", [], 1),
    notification,
    call("eth_sendRawTransaction", [signed], 2),
    call("health", [], 3),
  ];
  expect(await ask(batch)).toMatchObject([
    { id: 1, result: "client's eth_chainId" },
    { id: 2, result: expect.stringMatching(/^0x/) },
    { id: 3, result: {} },
  ]);
  expect(client.methods).toEqual(["eth_chainId", "eth_syncing"]);
});

it("a node without such a client knows no such methods", async () => {
  const plain = await startServer();
  try {
    const answer = await postJson(plain, "/", call("eth_chainId"));
    expect(await answer.json()).toMatchObject({ error: { code: -32601 } });
    const listing = await (await fetch(plain.url)).text();
    expect(listing).not.toContain("eth_*");
    expect(await (await fetch(harness.url)).text()).toContain("eth_*, net_*, web3_*");
  } finally {
    await plain.stop();
  }
});
