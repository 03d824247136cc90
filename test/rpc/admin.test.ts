/** Who may hand leadership over, and what they are told. */

import { afterEach, describe, expect, it } from "vitest";
import { type Harness, startServer } from "./harness.ts";

let harness: Harness;
afterEach(() => harness.stop());

function transfer(headers: Record<string, string> = {}, body?: string): Promise<Response> {
  return fetch(`${harness.url}/admin/transfer-leader`, {
    method: "POST",
    headers,
    ...(body !== undefined && { body }),
  });
}

describe("without a token", () => {
  it("this machine may", async () => {
    harness = await startServer();
    const response = await transfer({}, '{"target_id":"node-3"}');
    expect([response.status, await response.json()]).toEqual([200, { leader_id: "node-3" }]);
    expect(harness.log).toContainEqual({
      level: "info",
      facts: { client: "127.0.0.1", targetId: "node-3" },
      sentence: "leadership transfer requested",
    });
  });

  it("no target means the readiest peer", async () => {
    harness = await startServer();
    expect(await (await transfer()).json()).toEqual({ leader_id: "node-2" });
  });

  it.each([
    ["a proxy", { "x-forwarded-for": "203.0.113.7" }],
    ["a newer proxy", { forwarded: "for=203.0.113.7" }],
    ["a page in this machine's browser", { origin: "https://evil.example" }],
  ])("%s may not", async (_who, headers) => {
    harness = await startServer();
    const response = await transfer(headers);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ error: { code: "FORBIDDEN" } });
    expect(harness.node.raft?.role).toBe("leader");
  });

  it("JSON-RPC is held to the same rule", async () => {
    harness = await startServer();
    const call = { jsonrpc: "2.0", id: 1, method: "admin_transferLeader", params: [] };
    const ask = async (headers: Record<string, string>) => {
      const body = JSON.stringify(call);
      return (await fetch(harness.url, { method: "POST", headers, body })).json();
    };
    expect(await ask({ origin: "https://evil.example" })).toMatchObject({
      error: { message: "FORBIDDEN" },
    });
    expect(await ask({})).toMatchObject({ result: { leader_id: "node-2" } });
  });
});

describe("with a token", () => {
  const adminToken = "correct horse battery staple";

  it.each([
    [{}, 401],
    [{ authorization: "Bearer wrong" }, 401],
    [{ authorization: `Basic ${adminToken}` }, 401],
    [{ authorization: `Bearer ${adminToken}` }, 200],
    [{ authorization: `bearer ${adminToken}`, origin: "https://ops.example" }, 200],
  ])("%j answers %d", async (headers, status) => {
    harness = await startServer({ adminToken });
    const response = await transfer(headers);
    expect(response.status).toBe(status);
    expect(response.headers.get("www-authenticate")).toBe(status === 401 ? "Bearer" : null);
    expect(await response.text()).not.toContain(adminToken);
    expect(JSON.stringify(harness.log)).not.toContain(adminToken);
  });
});

it("a follower names the leader", async () => {
  harness = await startServer();
  await transfer();
  const response = await transfer();
  expect(response.status).toBe(409);
  expect(await response.json()).toEqual({
    error: {
      code: "NOT_LEADER",
      leader_id: "node-2",
      message: "This node does not lead. Send the request to node-2.",
    },
  });
});

it.each([
  ['{"target_id":""}', '"target_id" in the body must not be empty.'],
  ['{"target_id":7}', '"target_id" in the body must be the node_id of a member.'],
  ['{"to":"node-2"}', 'The body has "to", which is not known here. It may have target_id.'],
])("%s is refused", async (body, message) => {
  harness = await startServer();
  const response = await transfer({}, body);
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({ error: { code: "BAD_REQUEST", message } });
});

it("a single sequencer has nobody to hand over to", async () => {
  harness = await startServer();
  harness.node.raft = null;
  const response = await transfer();
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ error: { code: "TRANSFER_FAILED" } });
});
