/**
 * Hostile clients against a whole cluster that makes blocks (P12): on the Raft port, over HTTP, on the
 * metrics port. Whatever they send, the leader stays, blocks keep coming, and memory and log are bounded.
 */

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { encodeTxBatch, offerMethod } from "../../src/sequencer/tx-batch.ts";
import { until } from "../e2e/harness/until.ts";
import { crowd, flood, open, sendAndWait, type Target } from "./harness/clients.ts";
import { commit, temporaryFolder } from "./harness/homes.ts";
import { appendFrame, extensionFrame, heartbeatFrame } from "./harness/raft-frames.ts";
import { metric, WatchedCluster, warnings } from "./harness/watched-cluster.ts";

const folder = temporaryFolder();
let watched: WatchedCluster;

beforeAll(async () => {
  watched = await WatchedCluster.start(folder.path);
}, 150_000);

afterAll(async () => {
  await watched?.cluster.stop();
  folder.remove();
});

const raftPort = ({ place }: LocalNode): Target => ({ host: place.host, port: place.raftPort });
const rpcPort = ({ place }: LocalNode): Target => ({ host: place.host, port: place.rpcPort });
const metricsPort = ({ place }: LocalNode): Target => ({
  host: place.host,
  port: place.metricsPort,
});
const text = (value: string) => new TextEncoder().encode(value);
const refused = (node: LocalNode, reason: string) =>
  metric(node, "evnode_raft_connections_refused_total", `reason="${reason}"`);

/** `array of 4 billion entries` in an AppendEntries, and `4 GiB of bytes`. */
const endless = [
  Buffer.from("0081a7456e7472696573ddffffffff", "hex"),
  Buffer.from("0081a444617461dbffffffff", "hex"),
];

describe("the Raft port", () => {
  it("is not moved by scans, garbage, half a frame, 4 GiB and strangers, all at once", async () => {
    const { leader } = watched;
    const follower = watched.follower();
    const linesBefore = warnings(leader).length + warnings(follower).length;
    await watched.unharmedBy(async () => {
      const attacks = [leader, follower].flatMap((node) => {
        const port = raftPort(node);
        return [
          ...Array.from({ length: 20 }, async () => (await open(port))?.destroy()),
          ...Array.from({ length: 20 }, () => sendAndWait(port, randomBytes(500))),
          ...endless.map((bytes) => sendAndWait(port, bytes)),
          sendAndWait(port, text("GET / HTTP/1.1\r\n\r\n")),
          sendAndWait(port, heartbeatFrame("mallory", node.id, 9)),
          sendAndWait(port, heartbeatFrame(node.id, node.id, 9)),
          sendAndWait(port, heartbeatFrame("node-1", node.id, 1), { from: "127.0.0.99" }),
          // Held open in the middle, until this side gives up.
          sendAndWait(port, heartbeatFrame("mallory", node.id, 9).subarray(0, 20), {
            limitMs: 3_000,
          }),
        ];
      });
      await Promise.all(attacks);
    });
    for (const node of [leader, follower]) {
      expect(await refused(node, "garbage")).toBeGreaterThan(0);
      expect(await refused(node, "stranger")).toBeGreaterThanOrEqual(3);
    }
    const lines = warnings(leader).length + warnings(follower).length - linesBefore;
    expect(lines, "a few rate-limited lines each").toBeLessThan(20);
  });

  it("bears 500 connections that say nothing", async () => {
    const { leader } = watched;
    await watched.unharmedBy(async () => {
      const sockets = await crowd(raftPort(leader), 500, new Uint8Array(0));
      await commit(leader, "crowd=1");
      for (const socket of sockets) socket.destroy();
    });
    expect(await refused(leader, "overload")).toBeGreaterThan(300);
  });

  it("refuses what no member can say, in a member's name", async () => {
    const { leader } = watched;
    const follower = watched.follower();
    const other = watched.followers[1]?.id ?? "";
    const term = await until(
      "the leader says its term",
      async () => (await watched.term()) || null,
    );
    const far = 2 ** 53 - 1;
    const prev = { term: 1, index: 1 };
    const sayings: [LocalNode, Uint8Array][] = [
      [leader, heartbeatFrame(other, leader.id, far)],
      [follower, heartbeatFrame(other, follower.id, far)],
      [follower, appendFrame(other, follower.id, { term: far, prev, terms: [far] })],
      // From the leader itself: beyond the log, out of order, with a gap, of a term to come.
      [
        follower,
        appendFrame(leader.id, follower.id, { term, prev: { term, index: far }, terms: [] }),
      ],
      [follower, appendFrame(leader.id, follower.id, { term, prev, terms: [term, 1] })],
      [
        follower,
        appendFrame(leader.id, follower.id, { term, prev, terms: [term], firstIndex: 99 }),
      ],
      [follower, appendFrame(leader.id, follower.id, { term, prev, terms: [term + 9] })],
    ];
    const garbageBefore = await refused(follower, "garbage");
    await watched.unharmedBy(async () => {
      await Promise.all(
        sayings.map(([node, bytes]) => sendAndWait(raftPort(node), bytes, { limitMs: 2_000 })),
      );
    });
    expect(await refused(follower, "garbage")).toBeGreaterThanOrEqual(garbageBefore + 5);
  });

  it("answers offers that are none, and blocks go on holding transactions", async () => {
    const { leader } = watched;
    const from = watched.follower().id;
    const txs = [
      { id: new Uint8Array(0), tx: text("a=1") },
      { id: randomBytes(1000), tx: text("a=2") },
      { id: randomBytes(16), tx: new Uint8Array(6 * 1024 * 1024) },
    ];
    const bodies = [
      ...txs.map((tx) => encodeTxBatch({ absentThrough: 0, txs: [tx] })),
      randomBytes(64),
      new Uint8Array(0),
      Uint8Array.of(255, 255, 255, 255),
      // Well-formed, but nothing that the executor could run: it must not stop the others.
      encodeTxBatch({
        absentThrough: 0,
        txs: [{ id: randomBytes(16), tx: text("no equals sign") }],
      }),
    ];
    await watched.unharmedBy(async () => {
      const frames = [
        ...bodies.map((body) => extensionFrame(from, { method: offerMethod, body })),
        extensionFrame(from, { method: "no-such-method", body: randomBytes(10) }),
        extensionFrame(from, { method: "x".repeat(100_000), body: new Uint8Array(0) }),
      ];
      await Promise.all(
        frames.map((bytes) => sendAndWait(raftPort(leader), bytes, { limitMs: 2_000 })),
      );
      await commit(leader, "after-offers=1");
    });
  });
});

describe("HTTP", () => {
  it("is not moved by large bodies, garbage, slow clients and a crowd, all at once", async () => {
    const { leader } = watched;
    const port = rpcPort(leader);
    await watched.unharmedBy(async () => {
      const slow = await crowd(port, 500, text("POST /tx HTTP/1.1\r\nHost: a\r\nContent-Le"));
      const length = "POST /tx HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000000\r\n\r\n";
      const chunked =
        "POST /tx HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n";
      await Promise.all([
        ...Array.from({ length: 4 }, () => flood(port, length, 64 * 1024 * 1024)),
        ...Array.from({ length: 4 }, () => flood(port, chunked, 64 * 1024 * 1024)),
        ...Array.from({ length: 10 }, () => sendAndWait(port, randomBytes(2000))),
        flood(port, "GET /status?", 1024 * 1024),
        commit(leader, "meanwhile=1"),
      ]);
      for (const socket of slow) socket.destroy();
    });
  });

  it.each<[string, string, RequestInit, number]>([
    ["bad JSON", "/tx", { method: "POST", body: "{", headers: json() }, 400],
    ["JSON of another shape", "/tx", { method: "POST", body: "[]", headers: json() }, 400],
    ["a body beyond the limit", "/tx", { method: "POST", body: "a".repeat(5_000_000) }, 413],
    ["an unknown path", "/admin/../../etc/passwd", {}, 404],
    ["an unknown method", "/status", { method: "DELETE" }, 405],
    ["a height that is none", "/block/-1", {}, 400],
  ])("answers %s with a sentence", async (_, path, init, status) => {
    const response = await fetch(watched.leader.rpcUrl + path, init);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({
      error: { message: expect.stringMatching(/\w/) },
    });
  });
});

describe("the metrics port", () => {
  it("is not moved by garbage and slow readers, and still answers", async () => {
    const { leader } = watched;
    const port = metricsPort(leader);
    await watched.unharmedBy(async () => {
      const slow = await crowd(port, 40, text("GET /metrics HTTP/1.1\r\nHo"));
      await Promise.all([
        ...Array.from({ length: 10 }, () => sendAndWait(port, randomBytes(500))),
        flood(
          port,
          "POST /metrics HTTP/1.1\r\nContent-Length: 900000000\r\n\r\n",
          16 * 1024 * 1024,
        ),
      ]);
      expect(await metric(leader, "evnode_sequencer_height", "")).toBeGreaterThan(0);
      for (const socket of slow) socket.destroy();
    });
  });
});

function json(): Readonly<Record<string, string>> {
  return { "content-type": "application/json" };
}
