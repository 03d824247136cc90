/** A link that is slow, and one that was away: what is large gets through, and what is stuck is noticed. */

import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Channel } from "../../src/transport/channel.ts";
import { defaultLimits } from "../../src/transport/limits.ts";
import {
  answerTo,
  appendEntries,
  Cleanup,
  heartbeat,
  snapshotRequest,
  type TestNode,
} from "./harness.ts";
import { Link } from "./link.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const isAppend = ({ kind }: { kind: string }) => kind === "appendEntriesRequest";
const isSnapshot = ({ kind }: { kind: string }) => kind === "installSnapshotRequest";
const isHeartbeat = ({ kind }: { kind: string }) => kind === "heartbeatRequest";

async function overLink(sendTimeoutMs: number): Promise<[TestNode, Link, TestNode]> {
  const a = await cleanup.node("a", { sendTimeoutMs });
  const b = await cleanup.node(
    "b",
    { peers: new Map([["a", a.address]]) },
    {
      onMessage: (message) => {
        if (isHeartbeat(message) || isAppend(message)) b.transport.send(answerTo(message));
      },
      onExtensionRequest: ({ respond }) => respond(200, new Uint8Array(0)),
    },
  );
  const link = await new Link().open(() => b.port);
  cleanup.add(() => link.close());
  a.transport.setPeers(new Map([["b", `127.0.0.1:${link.port}`]]));
  return [a, link, b];
}

describe("a snapshot", () => {
  it("may take many times its deadline, as long as it moves", async () => {
    const timeoutMs = 500;
    const portionBytes = 256 * 1024;
    const snapshot = new Uint8Array(16 * 1024 * 1024);
    let received = 0;
    let beganMs = Number.POSITIVE_INFINITY;
    // Reads a portion at a time, and answers what it has read: one empty frame, as msgpack has it.
    const server = createServer((socket) => {
      socket.pause();
      const timer = setInterval(() => {
        beganMs = Math.min(beganMs, performance.now());
        const portion: Buffer | null = socket.read(
          Math.min(portionBytes, snapshot.length - received),
        ) as Buffer | null;
        received += portion?.length ?? 0;
        if (received < snapshot.length) return;
        clearInterval(timer);
        socket.write(Uint8Array.of(0xa0, 0x80));
      }, 50);
      socket.on("close", () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanup.add(() => server.close());
    const { port } = server.address() as { port: number };
    const taken: number[] = [];
    const channel = new Channel(
      {
        peerId: "b",
        dialTimeoutMs: 10_000,
        backoffMaxMs: 10,
        limits: defaultLimits,
        random: () => 0,
      },
      {
        route: () => Promise.resolve({ host: "127.0.0.1", port, source: null }),
        onOpen: () => {},
        onUsed: () => {},
        onProven: () => {},
        onLost: () => {},
        onDialFailed: () => {},
        onTraffic: (sentBytes) => taken.push(sentBytes),
      },
    );
    cleanup.add(() => channel.close("closed"));
    const outcome = await new Promise((resolve) =>
      channel.call({
        timeoutMs,
        sizeBytes: snapshot.length,
        encode: () => [snapshot],
        onAnswer: () => resolve("answered"),
        onFailed: resolve,
      }),
    );
    expect([outcome, received]).toEqual(["answered", snapshot.length]);
    expect(performance.now() - beganMs).toBeGreaterThan(3 * timeoutMs);
    expect(Math.max(...taken)).toBeLessThanOrEqual(64 * 1024);
  });

  it("that was stuck while the peer was away fails as soon as heartbeats are back", async () => {
    const sendTimeoutMs = 60;
    const [a, link] = await overLink(sendTimeoutMs);
    const isSending = a.events
      .next((event) => event.kind === "connected" && event.purpose === "snapshot")
      .then(() => true);
    // A busy machine may need more than one attempt to connect in that time.
    let failed: Promise<unknown>;
    do {
      a.transport.send(snapshotRequest("a", "b", new Uint8Array(32 * 1024 * 1024)));
      failed = a.failures.next(isSnapshot);
    } while (!(await Promise.race([isSending, failed.then(() => false)])));
    link.goAway();
    const awaySinceMs = performance.now();
    const beating = setInterval(() => {
      if (performance.now() - awaySinceMs > 10 * sendTimeoutMs) link.comeBack();
      a.transport.send(heartbeat("a", "b"));
    }, sendTimeoutMs / 3);
    cleanup.add(() => clearInterval(beating));
    expect(await failed).toMatchObject({ kind: "installSnapshotRequest" });
    const lost = await a.events.next(
      (event) => event.kind === "disconnected" && event.purpose === "snapshot",
    );
    expect(lost).toMatchObject({ reason: expect.stringContaining("stuck since before") });
  });
});

describe("a call between our own nodes", () => {
  it("that was under way when the peer went away fails when that connects again, though nobody sends heartbeats", async () => {
    const sendTimeoutMs = 60;
    const [a, link, b] = await overLink(sendTimeoutMs);
    const ask = () => a.transport.request("b", "m", new Uint8Array(10), { timeoutMs: 120_000 });
    await expect(ask()).resolves.toMatchObject({ status: 200 });
    link.goAway();
    const asked = ask().catch((error: Error) => error.message);
    await new Promise((resolve) => setTimeout(resolve, 6 * sendTimeoutMs));
    b.transport.send(heartbeat("b", "a"));
    expect(await asked).toContain("stuck since before the peer connected again");
  });
});

describe("a large entry", () => {
  it("goes on where it is when heartbeats were late and it moves", async () => {
    const sendTimeoutMs = 120;
    const [a, link] = await overLink(sendTimeoutMs);
    link.bytesPerSecond = 6_500_000;
    const beat = () => a.transport.send(heartbeat("a", "b"));
    beat();
    await a.messages.next(({ kind }) => kind === "heartbeatResponse");
    // A sixth of it fits into the buffers of the two hops, and is not seen to move.
    a.transport.send(appendEntries("a", "b", 0, [new Uint8Array(28 * 1024 * 1024)]));
    const beating = setInterval(beat, sendTimeoutMs / 4);
    cleanup.add(() => clearInterval(beating));
    const isDisconnected = (purpose: string) => (event: { kind: string; purpose?: string }) =>
      event.kind === "disconnected" && event.purpose === purpose;
    for (let nth = 0; nth < 3; nth++) {
      await new Promise((resolve) => setTimeout(resolve, 7 * sendTimeoutMs));
      await link.hold(2 * sendTimeoutMs);
      await a.events.next(isDisconnected("heartbeat"));
    }
    const answered = a.messages.next(({ kind }) => kind === "appendEntriesResponse");
    const failed = a.failures.next(isAppend);
    expect(await Promise.race([answered, failed])).toMatchObject({ kind: "appendEntriesResponse" });
    expect(a.events.all.filter(isDisconnected("append"))).toEqual([]);
  });
});

describe("a call between our nodes", () => {
  it("may take many times its deadline, as long as it moves, and others wait behind it", async () => {
    const [a, link] = await overLink(10_000);
    link.bytesPerSecond = 5_000_000;
    const timeoutMs = 1_000;
    const beganMs = performance.now();
    const large = a.transport.request("b", "large", new Uint8Array(24 * 1024 * 1024), {
      timeoutMs,
    });
    const small = a.transport.request("b", "small", new Uint8Array(10), { timeoutMs: 30_000 });
    expect(await Promise.all([large, small])).toMatchObject([{ status: 200 }, { status: 200 }]);
    expect(performance.now() - beganMs).toBeGreaterThan(3 * timeoutMs);
  });
});
