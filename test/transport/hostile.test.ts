/** Whatever comes in from the network costs one event, and harms nothing (P12). */

import { once } from "node:events";
import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { defined } from "../../src/base/assert.ts";
import { toHex } from "../../src/base/bytes.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { TransportEvent } from "../../src/transport/tcp-transport.ts";
import { answerTo, Cleanup, heartbeat, preVote, type TestNode } from "./harness.ts";
import { hexBytes, vector } from "./vector-file.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

/** The vectors' sender is `node-a`. */
const peers = new Map([["node-a", "127.0.0.1:1"]]);
const goHeartbeat = hexBytes(vector("append-entries-heartbeat").hex);

/** Everything but the start and a peer's arrival. */
function endings(node: TestNode): readonly TransportEvent["kind"][] {
  return node.events.all
    .map(({ kind }) => kind)
    .filter((kind) => kind !== "listening" && kind !== "inboundConnected");
}

/** A Go peer is still served. */
async function expectService(node: TestNode): Promise<void> {
  const peer = await cleanup.rawClient(node.port);
  peer.socket.write(goHeartbeat);
  const request = await node.messages.next(({ kind }) => kind === "heartbeatRequest");
  node.transport.send(answerTo(request));
  expect(toHex((await peer.received(1)).subarray(0, 2))).toBe("a087");
}

describe("a Go peer", () => {
  it("gets every key of a response, in Go's bytes", async () => {
    const node = await cleanup.node("node-b", { peers, advertisedAddress: () => "10.0.0.2:7000" });
    const peer = await cleanup.rawClient(node.port);
    peer.socket.write(goHeartbeat);
    const request = await node.messages.next();
    expect(request).toMatchObject({
      kind: "heartbeatRequest",
      from: "node-a",
      to: "node-b",
      term: 7,
    });
    node.transport.send(answerTo(request));
    const expected =
      "a087a441646472ad31302e302e302e323a37303030a24944a66e6f64652d62a74c6173744c6f6709" +
      "ae4e6f52657472794261636b6f6666c2af50726f746f636f6c56657273696f6e03a753756363657373c3a45465726d07";
    expect(toHex(await peer.received(expected.length / 2))).toBe(expected);
  });

  it("is told so when its protocol version is not supported, and may go on", async () => {
    const node = await cleanup.node("node-b", { peers });
    const peer = await cleanup.rawClient(node.port);
    const old = Uint8Array.from(hexBytes(vector("request-pre-vote").hex));
    const at = Buffer.from(old).indexOf("ProtocolVersion") + "ProtocolVersion".length;
    old[at] = 1;
    peer.socket.write(old);
    const refusal = hexBytes(vector("request-vote-response-error-nil-body").hex);
    expect(toHex(await peer.received(refusal.length))).toBe(toHex(refusal));
    peer.socket.write(hexBytes(vector("request-pre-vote").hex));
    expect(await node.messages.next()).toMatchObject({ kind: "requestPreVoteRequest" });
  });

  it("that does not know pre-votes refuses them by saying so", async () => {
    const go = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () =>
        socket.write(hexBytes(vector("request-pre-vote-response-unexpected-command").hex)),
      );
    }).listen(0, "127.0.0.1");
    cleanup.add(() => go.close());
    await once(go, "listening");
    const address = go.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    const node = await cleanup.node("node-b", {
      peers: new Map([["node-a", `127.0.0.1:${address.port}`]]),
    });
    cleanup.add(() => node.transport.stop());
    node.transport.send(preVote("node-b", "node-a"));
    expect(await node.messages.next()).toMatchObject({
      kind: "requestPreVoteResponse",
      from: "node-a",
      granted: false,
      term: 8,
    });
  });

  it("has its snapshot's bytes taken off the stream, and nothing more", async () => {
    const node = await cleanup.node("node-b", { peers });
    const peer = await cleanup.rawClient(node.port);
    const snapshot = vector("install-snapshot-10-bytes");
    peer.socket.write(hexBytes(snapshot.hex + toHex(goHeartbeat)));
    const request = await node.messages.next();
    if (request.kind !== "installSnapshotRequest") throw new Error("expected a snapshot");
    expect(toHex(request.snapshot.data)).toBe(snapshot.stream);
    expect(request.snapshot.configuration.servers.map(({ suffrage }) => suffrage)).toContain(
      "staging",
    );
    expect(await node.messages.next()).toMatchObject({ kind: "heartbeatRequest" });
  });
});

describe("hostile or broken clients", () => {
  it("connect and close: one event", async () => {
    const node = await cleanup.node("node-b", { peers });
    (await cleanup.rawClient(node.port)).socket.end();
    expect(await node.event("inboundClosed")).toMatchObject({
      peerId: null,
      requests: 0,
      count: 1,
    });
    await expectService(node);
    expect(endings(node)).toEqual(["inboundClosed"]);
  });

  it.each([
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    ["an unknown request type", Uint8Array.of(5, 0x80)],
    ["a request that is no structure", Uint8Array.of(0, 0x2a)],
    ["a 4 GiB byte string", hexBytes("0081a444617461dbffffffff")],
    ["an array of 4 billion entries", hexBytes("0081a7456e7472696573ddffffffff")],
    ["an entry of an unknown type", entryOfType(9)],
    ["a configuration that is none", entryOfType(5)],
    ["a peer list of an old protocol in place of one (addPeer)", entryOfType(2)],
    ["the same (removePeer)", entryOfType(3)],
    ["nesting without end", Uint8Array.from([0, 0x81, 0xa1, 0x78, ...Array(3000).fill(0x91)])],
    ["a term beyond 2^53", hexBytes(vector("append-entries-2p53").hex)],
  ])("send %s: closed without an answer, one event", async (_name, bytes) => {
    const node = await cleanup.node("node-b", { peers });
    const client = await cleanup.rawClient(node.port);
    client.socket.write(bytes);
    expect(await client.closed).toHaveLength(0);
    await node.event("garbageReceived");
    await expectService(node);
    expect(endings(node)).toEqual(["garbageReceived"]);
    expect(node.messages.all).toHaveLength(1);
  });

  it("send random bytes: one event each, whatever they are", async () => {
    const node = await cleanup.node("node-b", { peers, limits: { stallTimeoutMs: 500 } });
    const random = seededRandom(4711);
    const closed = Array.from({ length: 60 }, async (_, round) => {
      const client = await cleanup.rawClient(node.port);
      const bytes = Uint8Array.from({ length: 1 + random() * 200 }, () => random() * 256);
      bytes[0] = round % 6;
      client.socket.write(bytes);
      await client.closed;
    });
    await Promise.all(closed);
    await expectService(node);
    expect(endings(node)).toHaveLength(60);
  });

  it("hold half a frame open: closed after the stall timeout", async () => {
    const node = await cleanup.node("node-b", { peers, limits: { stallTimeoutMs: 40 } });
    const client = await cleanup.rawClient(node.port);
    client.socket.write(goHeartbeat.subarray(0, 20));
    await client.closed;
    expect((await node.event("stalled")).reason).toMatch(/sent no complete request/);
  });

  it("hold half a snapshot open: closed, and its place is free again", async () => {
    const limits = { stallTimeoutMs: 300, inboundSnapshotsMax: 1 };
    const node = await cleanup.node("node-b", { peers, limits });
    const snapshot = hexBytes(vector("install-snapshot-10-bytes").hex);
    const client = await cleanup.rawClient(node.port);
    client.socket.write(snapshot.subarray(0, -1));
    await client.closed;
    await node.event("stalled");
    const next = await cleanup.rawClient(node.port);
    next.socket.write(snapshot);
    expect(await node.messages.next()).toMatchObject({ kind: "installSnapshotRequest" });
  });

  it("announce a snapshot over the limit: told so before its first byte, and closed", async () => {
    const node = await cleanup.node("node-b", { peers });
    const client = await cleanup.rawClient(node.port);
    client.socket.write(hexBytes(vector("install-snapshot-size-2147483648").hex));
    expect(Buffer.from(await client.closed).toString("latin1")).toMatch(/2147483648 bytes refused/);
    await node.event("requestRefused");
  });

  it("speak in the name of nobody, of a stranger, or of the node itself: closed without an answer", async () => {
    for (const [localId, bytes] of [
      ["node-b", hexBytes(vector("append-entries-old-sender").hex)],
      ["node-b", hexBytes(vector("append-entries-heartbeat-long-ids").hex)],
      ["node-a", goHeartbeat],
    ] as const) {
      const node = await cleanup.node(localId, { peers });
      const client = await cleanup.rawClient(node.port);
      client.socket.write(bytes);
      expect(await client.closed).toHaveLength(0);
      await node.event("strangerRefused");
      expect(node.messages.all).toEqual([]);
    }
  });

  it("of a version without ids are known by their address, where that is allowed", async () => {
    const node = await cleanup.node("node-b", {
      peers: new Map([["node-i", "10.0.0.9:7000"]]),
      allowFrom: ["127.0.0.1"],
      allowUnnamedPeers: true,
    });
    const client = await cleanup.rawClient(node.port);
    client.socket.write(hexBytes(vector("append-entries-old-sender").hex));
    expect(await node.messages.next()).toMatchObject({ from: "node-i" });
  });

  it("come from an address that is no peer's: closed on arrival", async () => {
    const node = await cleanup.node("node-b", { peers: new Map([["node-a", "127.0.0.9:1"]]) });
    const client = await cleanup.rawClient(node.port);
    client.socket.write(goHeartbeat);
    await client.closed;
    expect(await node.event("strangerRefused")).toMatchObject({ remoteAddress: "127.0.0.1" });
    expect(node.messages.all).toEqual([]);
  });

  it("come in numbers: no more than the limit, and the others keep their service", async () => {
    const node = await cleanup.node("node-b", { peers, limits: { inboundConnectionsMax: 2 } });
    const first = await cleanup.rawClient(node.port);
    await cleanup.rawClient(node.port);
    await (await cleanup.rawClient(node.port)).closed;
    expect((await node.event("tooManyConnections")).reason).toBe("in all");
    first.socket.write(goHeartbeat);
    await node.messages.next();
  });

  it("do not read their answers: what waits for them is bounded, then they are closed", async () => {
    const node = await cleanup.node(
      "node-b",
      { peers, limits: { stallTimeoutMs: 300, outputMaxBytes: 1_000 } },
      { onMessage: (message) => node.transport.send(answerTo(message)) },
    );
    const client = await cleanup.rawClient(node.port);
    client.socket.pause();
    const many = Buffer.concat(Array.from({ length: 2_000 }, () => goHeartbeat));
    const feed = () => {
      while (!client.socket.destroyed && client.socket.write(many));
    };
    client.socket.on("drain", feed);
    feed();
    expect((await node.event("stalled")).reason).toMatch(/does not read its answers/);
  });

  it("answer what nobody asked, or garbage: the connection is given up and the request fails", async () => {
    for (const answer of [goHeartbeat, Uint8Array.of(0xa0, 0x2a), hexBytes("dbffffffff")]) {
      const liar = createServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", () => socket.write(answer));
      }).listen(0, "127.0.0.1");
      cleanup.add(() => liar.close());
      await once(liar, "listening");
      const address = defined(liar.address(), "it listens");
      if (typeof address === "string") throw new Error("a TCP address");
      const node = await cleanup.node("node-b", {
        peers: new Map([["node-a", `127.0.0.1:${address.port}`]]),
      });
      node.transport.send(heartbeat("node-b", "node-a"));
      await node.failures.next();
      expect((await node.event("disconnected")).reason).toMatch(/not an answer/);
      await node.transport.stop();
    }
  });
});

function entryOfType(type: number): Uint8Array {
  const frame = Uint8Array.from(hexBytes(vector("append-entries-noop").hex));
  const at = Buffer.from(frame).indexOf("Type") + "Type".length;
  frame[at] = type;
  return frame;
}
