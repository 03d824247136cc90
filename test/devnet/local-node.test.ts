import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { LocalNode } from "../../src/devnet/local-node.ts";

it("a process that cannot be spawned is an error, and nothing to wait for", async () => {
  const home = mkdtempSync(join(tmpdir(), "evm-local-node-"));
  onTestFinished(() => rmSync(home, { recursive: true }));
  const place = {
    id: "node-1",
    home,
    host: "127.0.0.1",
    raftPort: 1,
    rpcPort: 2,
    metricsPort: 3,
    p2pPort: 4,
    passphrase: "x",
  };
  const node = new LocalNode(place, []);
  // More than a kernel passes on.
  const environment = { TOO_LONG: "x".repeat(4 * 1024 * 1024) };
  await expect(node.start(environment)).rejects.toMatchObject({ code: "E2BIG" });
  expect(node.isRunning).toBe(false);
  await node.stop(1_000);
});
