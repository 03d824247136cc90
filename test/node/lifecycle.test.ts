/** A node within this process, as a program that embeds it runs one: started, drained, stopped. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { LocalCluster } from "../../src/devnet/local-cluster.ts";
import { Node, StartStopped } from "../../src/node/node.ts";
import { openHome } from "../../src/node/open-home.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { until } from "../e2e/harness/until.ts";

let directory: string;
let failures: Error[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "evm-node-"));
  failures = [];
});

afterEach(() => {
  expect(failures).toEqual([]);
  rmSync(directory, { recursive: true, force: true });
});

/** The only member of a cluster of one. */
async function createHome(): Promise<string> {
  const cluster = await LocalCluster.create({ directory, nodeCount: 1 });
  return cluster.node("node-1").place.home;
}

async function nodeOf(
  home: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Node> {
  const { config } = loadConfig({
    home,
    flags: { settings: [], problems: [] },
    environment,
    workingDirectory: directory,
  });
  const options = {
    config,
    home: await openHome(config, "devnet"),
    version: "test",
    adminToken: null,
    jwtSecret: null,
  };
  const log = createLogger({ level: "error", format: "text" });
  return new Node(options, { log, onFailure: (error) => failures.push(error) });
}

it("a start that is overtaken by a stop fails, and leaves nothing open", async () => {
  const home = await createHome();
  const node = await nodeOf(home);
  const starting = expect(node.start()).rejects.toThrow(StartStopped);
  await node.stop();
  await starting;
  const next = await nodeOf(home);
  await next.start();
  await next.stop();
});

it("stopping twice waits for the one stop", async () => {
  const home = await createHome();
  const node = await nodeOf(home);
  await node.start();
  await Promise.all([node.stop(), node.stop()]);
  const next = await nodeOf(home);
  await next.start();
  await next.stop();
});

it("a time limit may have a fraction of a millisecond", async () => {
  const node = await nodeOf(await createHome(), {
    EVNODE_CLUSTER_TX_COMMIT_TIMEOUT: "20000.25ms",
    EVNODE_CLUSTER_WAIT_FOR_LEADER_TIMEOUT: "20000.125ms",
  });
  await node.start();
  const { host, port } = node.rpcAddress ?? { host: "", port: 0 };
  // Unavailable until it leads; then it says that there is no such key.
  await until("it reads", async () => {
    const { status } = await fetch(`http://${host}:${port}/state/key`);
    expect([503, 404]).toContain(status);
    return status === 404;
  });
  await node.stop();
});

it.each([
  ["a lease longer than the heartbeat", { EVNODE_RAFT_LEADER_LEASE_TIMEOUT: "10s" }],
  ["no heartbeat", { EVNODE_RAFT_HEARTBEAT_TIMEOUT: "-1s", EVNODE_RAFT_ELECTION_TIMEOUT: "-1s" }],
  ["days", { EVNODE_RAFT_HEARTBEAT_TIMEOUT: "700h", EVNODE_RAFT_ELECTION_TIMEOUT: "700h" }],
])(
  "a single sequencer makes nothing of raft.*, which is not checked for it: %s",
  async (_what, environment) => {
    const node = await nodeOf(await createHome(), { ...environment, EVNODE_RAFT_ENABLE: "false" });
    await node.start();
    await until("it leads", async () => {
      const { host, port } = node.rpcAddress ?? { host: "", port: 0 };
      return (await fetch(`http://${host}:${port}/health/leader`)).status === 200;
    });
    await node.stop();
  },
);

it("a member without others has nobody to wait for when it is drained", async () => {
  const node = await nodeOf(await createHome());
  await node.start();
  await until("it leads", async () => {
    const { host, port } = node.rpcAddress ?? { host: "", port: 0 };
    return (await fetch(`http://${host}:${port}/health/leader`)).status === 200;
  });
  const startedMs = performance.now();
  await node.drain(60_000);
  expect(performance.now() - startedMs).toBeLessThan(30_000);
  await node.stop();
});
