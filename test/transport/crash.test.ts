/** P10: a crash is noticed at once, and nothing else is taken for one. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { defined } from "../../src/base/assert.ts";
import { Cleanup, heartbeat, type TestNode } from "./harness.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

/** Node `b` in a process of its own, that `a` has had an answer from. */
async function liveChild(a: TestNode): Promise<ChildProcess> {
  const script = fileURLToPath(new URL("./crash-child.ts", import.meta.url));
  const child = spawn(process.execPath, [script, a.address], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  cleanup.add(() => child.kill("SIGKILL"));
  const lines = createInterface({ input: defined(child.stdout, "its output is a pipe") });
  const [port] = await once(lines, "line");
  a.transport.setPeers(new Map([["b", `127.0.0.1:${port}`]]));
  a.transport.send(heartbeat("a", "b"));
  await a.messages.next();
  return child;
}

describe("a peer whose process is killed", () => {
  it("is reported gone, once, without a message being sent", async () => {
    const a = await cleanup.node("a");
    const child = await liveChild(a);
    child.kill("SIGKILL");
    expect(await a.gone.next()).toBe("b");
    a.transport.send(heartbeat("a", "b"));
    await a.failures.next();
    expect(a.gone.all).toEqual(["b"]);
  });

  it("is reported gone again after it has come back", async () => {
    const a = await cleanup.node("a");
    for (let life = 0; life < 2; life++) {
      (await liveChild(a)).kill("SIGKILL");
      expect(await a.gone.next()).toBe("b");
    }
  });
});

describe("a peer that is alive", () => {
  it("is not reported gone for closing a connection", async () => {
    const [a, b] = await cleanup.pair();
    a.transport.send(heartbeat("a", "b"));
    await b.messages.next();
    // Closes a's connection, and goes on listening to its address.
    b.transport.setPeers(new Map([["c", "127.0.0.1:1"]]));
    await a.event("disconnected");
    await b.event("inboundClosed"); // the probe came and went
    expect(a.gone.all).toEqual([]);
  });

  it("is not reported gone when it was never there", async () => {
    const [a, b] = await cleanup.pair();
    await b.transport.stop();
    a.transport.send(heartbeat("a", "b"));
    expect(await a.event("dialFailed")).toMatchObject({ reason: "ECONNREFUSED" });
    expect(a.gone.all).toEqual([]);
  });
});
