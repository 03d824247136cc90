/** Two transports over real sockets: what is sent arrives, and what cannot be is reported. */

import { type AddressInfo, createServer } from "node:net";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import type { Message } from "../../src/raft/message.ts";
import { TransportError } from "../../src/transport/errors.ts";
import {
  answerTo,
  appendEntries,
  Cleanup,
  closedPort,
  heartbeat,
  preVote,
  snapshotRequest,
} from "./harness.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const bytes = (length: number, fill = 7) => new Uint8Array(length).fill(fill);

describe("requests and responses", () => {
  it("carries every kind of request and brings its response back, with the request's own fields", async () => {
    const [a, b] = await cleanup.pair();
    const requests = [
      heartbeat("a", "b", 42),
      appendEntries("a", "b", 3, [bytes(5), bytes(0)]),
      preVote("a", "b"),
      {
        kind: "requestVoteRequest",
        from: "a",
        to: "b",
        id: 900,
        term: 8,
        last: { index: 5, term: 7 },
        leadershipTransfer: true,
      } as const,
      { kind: "timeoutNowRequest", from: "a", to: "b", id: 901 } as const,
      snapshotRequest("a", "b", bytes(300_000)),
    ];
    for (const request of requests) {
      a.transport.send(request);
      const received = await b.messages.next();
      const isTimed =
        request.kind === "heartbeatRequest" || request.kind === "appendEntriesRequest";
      expect(received).toEqual({ ...request, id: received.id, ...(isTimed && { sentAtMs: 0 }) });
      b.transport.send(answerTo(received));
      const response = await a.messages.next();
      expect(response).toMatchObject({ from: "b", to: "a", id: request.id });
      if ("sentAtMs" in request) expect(response).toMatchObject({ sentAtMs: request.sentAtMs });
      if (request.kind === "appendEntriesRequest") {
        expect(response).toMatchObject({ matchIndex: 5, prevLogIndex: 3 });
      }
      if (request.kind === "installSnapshotRequest") {
        expect(response).toMatchObject({ snapshotIndex: 40 });
      }
    }
  });

  it("carries readiness both ways, as keys that Go peers skip (P5)", async () => {
    const [a, b] = await cleanup.pair();
    const readiness = { isReady: false, appliedHeight: 70_000, priority: -3 };
    a.transport.send({ ...preVote("a", "b"), readiness } as Message);
    expect(await b.messages.next()).toMatchObject({ readiness });
    a.transport.send(heartbeat("a", "b"));
    const request = await b.messages.next();
    b.transport.send({ ...answerTo(request), readiness } as Message);
    expect(await a.messages.next()).toMatchObject({ kind: "heartbeatResponse", readiness });
  });

  it("pipelines AppendEntries, and answers in order whatever order the core answers in", async () => {
    const [a, b] = await cleanup.pair();
    const sent = [1, 2, 3, 4, 5].map((index) => appendEntries("a", "b", index, [bytes(10)]));
    for (const request of sent) a.transport.send(request);
    const received: Message[] = [];
    for (const _ of sent) received.push(await b.messages.next());
    for (const request of received.toReversed()) b.transport.send(answerTo(request));
    const ids: number[] = [];
    for (const _ of sent) ids.push((await a.messages.next()).id);
    expect(ids).toEqual(sent.map(({ id }) => id));
  });

  it("answers a heartbeat while an AppendEntries is unanswered (P13)", async () => {
    const [a, b] = await cleanup.pair();
    a.transport.send(appendEntries("a", "b", 1, [bytes(10)]));
    await b.messages.next(({ kind }) => kind === "appendEntriesRequest");
    a.transport.send(heartbeat("a", "b"));
    b.transport.send(answerTo(await b.messages.next(({ kind }) => kind === "heartbeatRequest")));
    expect(await a.messages.next()).toMatchObject({ kind: "heartbeatResponse" });
    expect(a.transport.stats().get("b")?.smoothedRttMs).toBeGreaterThan(0);
  });

  it("tells an open connection from an answer: only that shows that the peer does not hang", async () => {
    const [a, b] = await cleanup.pair();
    const silentMs = () => a.transport.stats().get("b")?.silentMs;
    a.transport.send(preVote("a", "b"));
    const request = await b.messages.next();
    expect(a.transport.stats().get("b")).toMatchObject({ isConnected: true, silentMs: null });
    b.transport.send(answerTo(request));
    await a.messages.next();
    const last = silentMs();
    expect(last).toBeGreaterThanOrEqual(0);
    await expect.poll(silentMs).toBeGreaterThan(last ?? 0);
  });

  it("tells what each answered heartbeat took once, and of one that is not answered nothing", async () => {
    const [a, b] = await cleanup.pair();
    const taken = () => a.transport.takeRoundTripsMs().get("b");
    for (const _ of [1, 2]) {
      a.transport.send(heartbeat("a", "b"));
      b.transport.send(answerTo(await b.messages.next()));
      await a.messages.next();
    }
    a.transport.send(heartbeat("a", "b"));
    await b.messages.next();
    expect(taken()).toEqual([expect.any(Number), expect.any(Number)]);
    expect(taken()).toEqual([]);
  });

  it("carries large entries, mixed with small ones, unchanged", async () => {
    const [a, b] = await cleanup.pair();
    const payloads = [bytes(5_000_000, 1), bytes(3, 2), bytes(70_000, 3), bytes(20_000, 4)];
    a.transport.send(appendEntries("a", "b", 1, payloads));
    const received = await b.messages.next();
    if (received.kind !== "appendEntriesRequest") throw new Error("expected AppendEntries");
    for (const [at, payload] of payloads.entries()) {
      expect(Buffer.from(received.entries[at]?.data ?? []).equals(payload)).toBe(true);
    }
  });

  it("takes an empty snapshot, and closes the connection after each", async () => {
    const [a, b] = await cleanup.pair();
    a.transport.send(snapshotRequest("a", "b", bytes(0)));
    b.transport.send(answerTo(await b.messages.next()));
    expect(await a.messages.next()).toMatchObject({ kind: "installSnapshotResponse" });
    expect(await b.event("inboundClosed")).toMatchObject({ peerId: "a", requests: 1 });
  });

  it("sends one snapshot at a time", async () => {
    const [a, b] = await cleanup.pair();
    a.transport.send(snapshotRequest("a", "b", bytes(10)));
    a.transport.send(snapshotRequest("a", "b", bytes(10)));
    expect(await a.failures.next()).toMatchObject({
      kind: "installSnapshotRequest",
      to: "b",
      term: 7,
    });
    await b.messages.next();
  });
});

describe("failures", () => {
  it("reports a request to nobody, but not before send has returned", async () => {
    const a = await cleanup.node("a");
    const request = heartbeat("a", "x");
    a.transport.send(request);
    expect(a.failures.all).toEqual([]);
    const { kind, to, id } = request;
    expect(await a.failures.next()).toEqual({ kind, to, id, term: 7 });
  });

  it("fails at once while backing off, and connects again once the peer is back", async () => {
    const port = await closedPort();
    const a = await cleanup.node("a", { peers: new Map([["b", `127.0.0.1:${port}`]]) });
    a.transport.send(heartbeat("a", "b"));
    expect(await a.event("dialFailed")).toMatchObject({ reason: "ECONNREFUSED", count: 1 });
    await a.failures.next();
    a.transport.send(heartbeat("a", "b")); // within the back-off: no second dial
    await a.failures.next();
    expect(a.events.all.filter(({ kind }) => kind === "dialFailed")).toHaveLength(1);
    const b = await cleanup.node("b", {
      listen: { host: "127.0.0.1", port },
      peers: new Map([["a", a.address]]),
    });
    b.transport.send(heartbeat("b", "a")); // ends the back-off: b is there
    await a.messages.next();
    a.transport.send(heartbeat("a", "b"));
    expect(await b.messages.next()).toMatchObject({ kind: "heartbeatRequest", from: "a" });
  });

  it("fails what is unanswered when the peer stops, and reaches it when it is back", async () => {
    const [a, b] = await cleanup.pair();
    a.transport.send(appendEntries("a", "b", 1, [bytes(10)]));
    a.transport.send(appendEntries("a", "b", 2, [bytes(10)]));
    await b.messages.next();
    await b.messages.next();
    await b.transport.stop();
    await a.failures.next();
    await a.failures.next();
    const again = await cleanup.node("b", {
      listen: { host: "127.0.0.1", port: b.port },
      peers: new Map([["a", a.address]]),
    });
    a.transport.send(heartbeat("a", "b"));
    const reached = again.messages.next(({ kind }) => kind === "heartbeatRequest");
    // The first attempts may still fall into the back-off.
    while (!(await Promise.race([reached.then(() => true), a.failures.next().then(() => false)]))) {
      a.transport.send(heartbeat("a", "b"));
    }
  });

  it("closes a connection whose heartbeat misses its deadline, with all that waits on it", async () => {
    const [a] = await cleanup.pair({ sendTimeoutMs: 60 });
    a.transport.send(heartbeat("a", "b"));
    a.transport.send(heartbeat("a", "b"));
    await a.failures.next();
    await a.failures.next();
    expect(await a.event("disconnected")).toMatchObject({ purpose: "heartbeat" });
  });

  it("gives AppendEntries the time of a stalled disk", async () => {
    const [a, b] = await cleanup.pair({ sendTimeoutMs: 60 });
    a.transport.send(appendEntries("a", "b", 1, [bytes(10)]));
    const request = await b.messages.next();
    // Two heartbeats in a row time out: at least 120 ms.
    for (let round = 0; round < 2; round++) {
      a.transport.send(heartbeat("a", "b"));
      await a.failures.next();
    }
    b.transport.send(answerTo(request));
    expect(await a.messages.next()).toMatchObject({ kind: "appendEntriesResponse" });
  });

  it("ignores responses to connections that are gone", async () => {
    const [a, b] = await cleanup.pair();
    a.transport.send(heartbeat("a", "b"));
    const request = await b.messages.next();
    await a.transport.stop();
    await b.event("inboundClosed");
    expect(() => b.transport.send(answerTo(request))).not.toThrow();
  });

  it("refuses what does not fit the queue", async () => {
    const [a, b] = await cleanup.pair({ limits: { callsInFlightMax: 2 } });
    for (let at = 1; at <= 3; at++) a.transport.send(appendEntries("a", "b", at, []));
    await a.failures.next();
    await b.messages.next();
    await b.messages.next();
    expect(a.failures.all).toHaveLength(1);
  });

  it("stops reading while too many requests are unanswered, and goes on when they are answered", async () => {
    const [a, b] = await cleanup.pair({ limits: { openRequestsMax: 2 } });
    for (let at = 1; at <= 6; at++) a.transport.send(appendEntries("a", "b", at, []));
    const received = [await b.messages.next(), await b.messages.next()];
    a.transport.send(heartbeat("a", "b"));
    b.transport.send(answerTo(await b.messages.next(({ kind }) => kind === "heartbeatRequest")));
    await a.messages.next();
    expect(b.messages.all.filter(({ kind }) => kind === "appendEntriesRequest")).toHaveLength(2);
    for (let at = 0; at < 6; at++) {
      const request = received[at] ?? (await b.messages.next());
      b.transport.send(answerTo(request));
      await a.messages.next();
    }
  });

  it("calls no handler after it has stopped", async () => {
    const [a, b] = await cleanup.pair();
    a.transport.send(heartbeat("a", "b"));
    await b.messages.next();
    await a.transport.stop();
    await a.transport.stop();
    a.transport.send(heartbeat("a", "b"));
    await b.event("inboundClosed");
    expect(a.failures.all).toEqual([]);
  });
});

describe("peers", () => {
  it("closes the connections of a peer that is removed", async () => {
    const [a, b] = await cleanup.pair();
    a.transport.send(heartbeat("a", "b"));
    await b.messages.next();
    b.transport.setPeers(new Map());
    expect(await b.event("strangerRefused")).toMatchObject({ peerId: "a" });
    await a.failures.next();
  });

  it("refuses an address that is none, naming the setting", async () => {
    const a = await cleanup.node("a");
    expect(() => a.transport.setPeers(new Map([["b", "nonsense"]]))).toThrow(/raft\.peers: b/);
    expect(() => a.transport.setPeers(new Map([["b", "0.0.0.0:1"]]))).toThrow(/names no machine/);
    a.transport.setPeers(new Map([["a", "0.0.0.0:1"]])); // its own entry may say so
  });

  it("know each other by the addresses that they listen on, of which a host may have several", async () => {
    const listen = { host: "127.0.0.2", port: 0 };
    const a = await cleanup.node("a", { listen, peers: new Map([["b", "127.0.0.3:1"]]) });
    const b = await cleanup.node("b", {
      listen: { host: "127.0.0.3", port: 0 },
      peers: new Map([["a", `127.0.0.2:${a.port}`]]),
    });
    b.transport.send(heartbeat("b", "a"));
    expect(await a.messages.next()).toMatchObject({ kind: "heartbeatRequest", from: "b" });
    expect(b.transport.outboundLocalAddress).toBe("127.0.0.3");
  });

  it("are found by name, at whichever of its addresses they listen", async () => {
    const b = await cleanup.node("b", { allowFrom: ["127.0.0.0/8"] });
    const lookup = async () => ["127.0.0.8", "127.0.0.9", "127.0.0.1"];
    const a = await cleanup.node("a", { lookup, peers: new Map([["b", `b.example:${b.port}`]]) });
    b.transport.setPeers(new Map([["a", a.address]]));
    const reached = b.messages.next();
    const tryAgain = () => a.transport.send(heartbeat("a", "b"));
    tryAgain();
    while (!(await Promise.race([reached.then(() => true), a.failures.next().then(() => false)]))) {
      tryAgain();
    }
    expect(a.gone.all).toEqual([]);
  });

  it("fails at once what goes to a name that does not resolve, and looks it up once", async () => {
    let lookups = 0;
    const lookup = async () => {
      lookups++;
      throw new Error("ENOTFOUND");
    };
    const a = await cleanup.node("a", { lookup, peers: new Map([["b", "b.example:1"]]) });
    a.transport.send(heartbeat("a", "b"));
    a.transport.send(preVote("a", "b"));
    await a.failures.next();
    await a.failures.next();
    expect(await a.event("resolveFailed")).toMatchObject({ host: "b.example" });
    expect(lookups).toBe(1);
  });

  it("tells its own end of the first connection to a peer", async () => {
    const [a, b] = await cleanup.pair();
    expect(a.transport.outboundLocalAddress).toBeNull();
    a.transport.send(heartbeat("a", "b"));
    await b.messages.next();
    expect(a.transport.outboundLocalAddress).toBe("127.0.0.1");
  });
});

describe("another member at a peer's address", () => {
  it("is not taken for it: its answers count for nobody, and the log says who it is", async () => {
    const a = await cleanup.node("a");
    const c = await cleanup.node(
      "c",
      { peers: new Map([["a", a.address]]) },
      { onMessage: (message) => c.transport.send(answerTo(message)) },
    );
    a.transport.setPeers(new Map([["b", c.address]]));
    a.transport.send(heartbeat("a", "b"));
    expect(await a.failures.next()).toMatchObject({ kind: "heartbeatRequest", to: "b" });
    const { reason } = await a.event("disconnected");
    expect(reason).toContain("c answers at the address of b");
    const asked = a.transport.request("b", "m", bytes(1), { timeoutMs: 60_000 });
    const refused = expect(asked).rejects.toThrow(/c answers at the address of b/);
    (await c.calls.next()).respond(200, bytes(2));
    await refused;
    expect(a.messages.all).toEqual([]);
  });
});

describe("extension calls", () => {
  it("are answered in order, though served side by side", async () => {
    const [a, b] = await cleanup.pair();
    const first = a.transport.request("b", "slow", bytes(1), { timeoutMs: 5_000 });
    const second = a.transport.request("b", "fast", bytes(100_000), { timeoutMs: 5_000 });
    const slow = await b.calls.next();
    const fast = await b.calls.next();
    expect(slow).toMatchObject({ from: "a", method: "slow" });
    fast.respond(204, bytes(2));
    slow.respond(200, bytes(3));
    expect(await first).toEqual({ status: 200, body: bytes(3) });
    expect(await second).toEqual({ status: 204, body: bytes(2) });
  });

  it("reject after their timeout, when the peer is unknown, away or stopped", async () => {
    const [a] = await cleanup.pair();
    const port = await closedPort();
    const code = (failure: string) => ({ detail: { code: "TRANSPORT_CALL_FAILED", failure } });
    const ask = (peerId: string, timeoutMs = 5_000) =>
      a.transport.request(peerId, "m", bytes(1), { timeoutMs });
    await expect(ask("b", 50)).rejects.toMatchObject(code("timedOut"));
    await expect(ask("x")).rejects.toMatchObject(code("unknownPeer"));
    a.transport.setPeers(new Map([["b", `127.0.0.1:${port}`]]));
    await expect(ask("b")).rejects.toMatchObject(code("dialFailed"));
    await a.transport.stop();
    await expect(ask("b")).rejects.toMatchObject(code("stopped"));
  });
});

describe("a peer that hangs up on extension calls, as one in Go does", () => {
  it("is asked once, and again when it has connected anew", async () => {
    const a = await cleanup.node("a");
    let calls = 0;
    const go = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        calls++;
        socket.end();
      });
    });
    await new Promise<void>((resolve) => go.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void go.close());
    const { port } = go.address() as AddressInfo;
    a.transport.setPeers(new Map([["b", `127.0.0.1:${port}`]]));
    const ask = () => a.transport.request("b", "m", bytes(1), { timeoutMs: 5_000 });
    const failed = (failure: string) => ({ detail: { failure } });
    await expect(ask()).rejects.toMatchObject(failed("closedByPeer"));
    await expect(ask()).rejects.toMatchObject(failed("refusedByPeer"));
    await expect(ask()).rejects.toMatchObject(failed("refusedByPeer"));
    expect(calls).toBe(1);

    const b = await cleanup.node("b");
    b.transport.setPeers(new Map([["a", `127.0.0.1:${a.port}`]]));
    b.transport.send(heartbeat("b", "a"));
    await a.messages.next();
    const again = [ask(), ask()];
    for (const call of again) await expect(call).rejects.toMatchObject(failed("closedByPeer"));
    // It lives, and has hung up on two calls that did not wait together.
    await expect(ask()).rejects.toMatchObject(failed("foreignPeer"));
  });
});

describe("listening", () => {
  it("says which address is in use and which setting to change", async () => {
    const a = await cleanup.node("a");
    const taken = cleanup.node("b", { listen: { host: "127.0.0.1", port: a.port } });
    await expect(taken).rejects.toThrow(TransportError);
    await expect(taken).rejects.toMatchObject({ code: "TRANSPORT_ADDRESS_IN_USE" });
    await expect(taken).rejects.toThrow(
      new RegExp(`raft\\.raft_addr 127\\.0\\.0\\.1:${a.port} is in use`),
    );
  });

  it("says that an address is not local", async () => {
    const elsewhere = cleanup.node("a", { listen: { host: "192.0.2.1", port: 0 } });
    await expect(elsewhere).rejects.toMatchObject({ code: "TRANSPORT_ADDRESS_NOT_LOCAL" });
  });
});
