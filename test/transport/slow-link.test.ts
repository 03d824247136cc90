/** A link that is slow, and one that was away: what is large gets through, and what is stuck is noticed. */

import { connect, createServer, type Socket } from "node:net";
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

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

/** How much of a connection a slow link carries, and how often. */
const portionBytes = 64 * 1024;
const portionEveryMs = 10;

/** Carries bytes between two ports, until it goes away. */
class Link {
  port = 0;
  /** Whether what is sent over a connection leaves it in portions. */
  isSlow = false;
  #isAway = false;
  #isHeld = false;
  #carried: [Socket, Socket][] = [];

  async open(targetPort: () => number): Promise<this> {
    const server = createServer((near) => {
      const far = connect({ host: "127.0.0.1", port: targetPort() });
      this.#carried.push([near, far]);
      if (!this.#isAway) {
        if (this.isSlow) this.#carryInPortions(near, far);
        else near.pipe(far);
        far.pipe(near);
      }
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        socket.on("error", () => other.destroy());
        socket.on("close", () => other.destroy());
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (typeof address !== "object" || address === null) throw new Error("it listens on a port");
    this.port = address.port;
    cleanup.add(() => {
      for (const pair of this.#carried) for (const socket of pair) socket.destroy();
      server.close();
    });
    return this;
  }

  /** Nothing gets through for so long; then everything goes on, and nothing was lost. */
  async hold(ms: number): Promise<void> {
    this.#isHeld = true;
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#isHeld = false;
  }

  #carryInPortions(near: Socket, far: Socket): void {
    near.pause();
    const timer = setInterval(() => {
      if (this.#isHeld) return;
      const bytes = Math.min(portionBytes, near.readableLength || 1);
      const portion: Buffer | null = near.read(bytes) as Buffer | null;
      if (portion !== null) far.write(portion);
    }, portionEveryMs);
    near.on("close", () => clearInterval(timer));
  }

  /** Nothing is closed, and nothing gets through. */
  goAway(): void {
    this.#isAway = true;
    for (const [near, far] of this.#carried) {
      near.unpipe(far);
      far.unpipe(near);
    }
  }

  /** New connections are carried. Those from before wait for TCP to try again, which takes its time. */
  comeBack(): void {
    this.#isAway = false;
  }
}

const isAppend = ({ kind }: { kind: string }) => kind === "appendEntriesRequest";
const isSnapshot = ({ kind }: { kind: string }) => kind === "installSnapshotRequest";
const isHeartbeat = ({ kind }: { kind: string }) => kind === "heartbeatRequest";

async function overLink(sendTimeoutMs: number): Promise<[TestNode, Link]> {
  const a = await cleanup.node("a", { sendTimeoutMs });
  const b = await cleanup.node(
    "b",
    { peers: new Map([["a", a.address]]) },
    {
      onMessage: (message) => {
        if (isHeartbeat(message) || isAppend(message)) b.transport.send(answerTo(message));
      },
    },
  );
  const link = await new Link().open(() => b.port);
  a.transport.setPeers(new Map([["b", `127.0.0.1:${link.port}`]]));
  return [a, link];
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

describe("a large entry", () => {
  it("goes on where it is when heartbeats were late and it moves", async () => {
    const sendTimeoutMs = 120;
    const [a, link] = await overLink(sendTimeoutMs);
    link.isSlow = true;
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
