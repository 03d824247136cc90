/** Transactions and the state they leave: identities, limits, and what is said when there is no leader. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Harness, postJson, putKey, startServer } from "./harness.ts";

let harness: Harness;

beforeEach(async () => {
  harness = await startServer();
  await putKey(harness, "greeting", "hello");
});
afterEach(() => harness.stop());

describe("transactions (P7)", () => {
  it("the same Idempotency-Key gets the first answer again", async () => {
    const key = { "idempotency-key": "order-4711" };
    const put = { type: "kv:put", key: "k", value: "v" };
    const first: unknown = await (await postJson(harness, "/tx", put, key)).json();
    expect(first).toEqual({
      height: 2,
      index: 0,
      tx_id: Buffer.from("order-4711").toString("hex"),
    });
    expect(await (await postJson(harness, "/tx", put, key)).json()).toEqual(first);
    expect(harness.node.blocks.head.height).toBe(2);
  });

  it.each([
    [true, "order-1", "with its Idempotency-Key"],
    [true, null, "a repeat may execute it a second time"],
    [false, null, "was not kept; send it again"],
  ])("503 says whether it may still be committed: %s with key %s", async (mayCommit, key, says) => {
    harness.node.lostMajority = { mayCommit };
    const response = await fetch(`${harness.url}/tx`, {
      method: "POST",
      body: "a=b",
      ...(key !== null && { headers: { "idempotency-key": key } }),
    });
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    const message: unknown = expect.stringContaining(says);
    expect(await response.json()).toMatchObject({
      error: { code: "UNAVAILABLE", may_commit: mayCommit, message },
    });
  });

  it("a full queue answers 429 and says when to come back", async () => {
    for (let sent = 0; sent < 3; sent++) {
      await fetch(`${harness.url}/tx?wait=accept`, { method: "POST", body: "a=b" });
    }
    const response = await fetch(`${harness.url}/tx`, { method: "POST", body: "a=b" });
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("2");
    expect(await response.json()).toMatchObject({ error: { code: "QUEUE_FULL" } });
  });

  it("above the configured rate 429 answers, by JSON-RPC too", async () => {
    const limited = await startServer({ txRate: { perSecond: 0.001, burst: 1 } });
    const send = () => fetch(`${limited.url}/tx`, { method: "POST", body: "a=b" });
    expect((await send()).status).toBe(200);
    expect((await send()).status).toBe(429);
    const call = { jsonrpc: "2.0", id: 1, method: "broadcast_tx_sync", params: { tx: "YT1i" } };
    const response = await fetch(limited.url, { method: "POST", body: JSON.stringify(call) });
    expect(await response.json()).toMatchObject({ error: { message: "RATE_LIMITED" } });
    await limited.stop();
  });
});

describe("state", () => {
  it("without a leader offers the stale read", async () => {
    harness.node.lostMajority = { mayCommit: false };
    const response = await fetch(`${harness.url}/state/greeting`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      error: {
        message: "no leader. Try again, or read this node's own state with ?consistency=stale.",
      },
    });
    expect((await fetch(`${harness.url}/state/greeting?consistency=stale`)).status).toBe(200);
  });

  it("of an execution client is not here", async () => {
    harness.node.raft = null;
    expect((await fetch(`${harness.url}/state/greeting`)).status).toBe(501);
  });
});
