/** Probes, and what ev-node answers on the same paths. */

import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Harness, startServer } from "./harness.ts";

let harness: Harness;

beforeEach(async () => {
  harness = await startServer();
});
afterEach(() => harness.stop());

describe("health", () => {
  it.each([
    ["/health/live", "OK\n", 503, "FAIL: behind best-known head\n"],
    ["/livez", "OK\n", 503, "FAIL: behind best-known head\n"],
    ["/health/ready", "READY\n", 503, "UNREADY: behind best-known head\n"],
    ["/readyz", "READY\n", 503, "UNREADY: behind best-known head\n"],
    ["/health/leader", "LEADER\n", 503, "NOT LEADER: behind best-known head\n"],
    ["/leader", "LEADER\n", 503, "NOT LEADER: behind best-known head\n"],
  ])("%s", async (path, good, badStatus, bad) => {
    const healthy = await fetch(harness.url + path);
    expect(healthy.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect([healthy.status, await healthy.text()]).toEqual([200, good]);
    harness.node.unreadyReason = "behind best-known head";
    const unhealthy = await fetch(harness.url + path);
    expect([unhealthy.status, await unhealthy.text()]).toEqual([badStatus, bad]);
  });

  it("speaks as kube-apiserver when asked for more", async () => {
    const verbose = async () => (await fetch(`${harness.url}/readyz?verbose`)).text();
    expect(await verbose()).toBe("[+]ready ok\nreadyz check passed\n");
    harness.node.unreadyReason = "two\nlines";
    expect(await verbose()).toBe("[-]ready failed: two lines\nreadyz check failed\n");
  });

  it("a check that fails itself counts as unhealthy and is logged, not told", async () => {
    harness.node.fault = new Error("secret detail");
    const response = await fetch(`${harness.url}/health/ready`);
    expect(response.status).toBe(503);
    expect(await response.text()).not.toContain("secret");
    expect(harness.log).toContainEqual({
      level: "error",
      facts: { probe: "ready", error: "secret detail" },
      sentence: "health check failed",
    });
  });
});

interface Vector {
  readonly name: string;
  readonly input: {
    readonly leader_id?: string;
    readonly node_id?: string;
    readonly method?: string;
  };
  readonly expected: { readonly status: number; readonly body?: string; readonly json?: unknown };
}

const vectors = JSON.parse(
  readFileSync(new URL("vectors/evnode-http.json", import.meta.url), "utf8"),
) as readonly Vector[];

describe("as ev-node answers", () => {
  it.each(vectors)("$name", async ({ name, input, expected }) => {
    const path = name.startsWith("/raft/node") ? "/raft/node" : (name.split(/[ :]/)[1] ?? "");
    if (input.leader_id !== undefined && harness.node.raft !== null) {
      const { leader_id, node_id = "" } = input;
      const role = leader_id === node_id ? "leader" : "follower";
      harness.node.raft = {
        ...harness.node.raft,
        nodeId: node_id,
        leaderId: leader_id || null,
        role,
      };
    }
    const reason = /^UNREADY: (.*)\n$/.exec(expected.body ?? "")?.[1];
    harness.node.unreadyReason = reason ?? null;
    const response = await fetch(harness.url + path, { method: input.method ?? "GET" });
    expect(response.status).toBe(expected.status);
    const body = await response.text();
    if (expected.body !== undefined) expect(body).toBe(expected.body);
    if (expected.json !== undefined) expect(JSON.parse(body)).toEqual(expected.json);
  });

  it("/raft/node refuses other methods in Go's words", async () => {
    const response = await fetch(`${harness.url}/raft/node`, { method: "POST" });
    expect(response.headers.get("allow")).toBe("GET, HEAD");
    expect(await response.text()).toBe("method not allowed\n");
  });
});
