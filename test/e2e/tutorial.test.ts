/** The tutorial of an ev-node cluster with five nodes, on one machine: its YAML, its commands, its log lines. */

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { defined } from "../../src/base/assert.ts";
import type { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { homeLayout } from "../../src/home/layout.ts";
import { readNodeKey } from "../../src/home/node-key.ts";
import { auditChain } from "./harness/chain.ts";
import {
  createCluster,
  endCleanly,
  logLines,
  othersThan,
  producingLeader,
  statusesOf,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { describeDistribution, report } from "./harness/distribution.ts";
import { arrivals, longestPauses } from "./harness/gaps.ts";
import { until } from "./harness/until.ts";

const guide = join(import.meta.dirname, "..", "config", "vectors", "guide-node-1.yaml");

it("runs as the tutorial says", { timeout: 300_000 }, async () => {
  const cluster = await createCluster({ nodeCount: 5 });
  for (const node of cluster.nodes) await writeGuideConfig(node, cluster);
  await Promise.all(cluster.nodes.map((node) => start(node)));
  await untilAllFollow(cluster);
  await untilGrown(await producingLeader(cluster), 4);

  // "All five nodes should report the same height (or within 1-2 blocks of each other)." A machine that stands
  // still in the middle of a look at all of them tears it apart.
  const looks: (readonly number[])[] = [];
  await until("every node has grown by three blocks", async () => {
    const heights = (await statusesOf(cluster.nodes))?.map(({ height }) => height);
    if (heights !== undefined) looks.push(heights);
    return (
      looks.length >= 10 &&
      (heights ?? []).every((height, at) => height - (looks[0]?.[at] ?? 0) >= 3)
    );
  });
  const isTogether = (heights: readonly number[]) =>
    Math.max(...heights) - Math.min(...heights) <= 2;
  const together = looks.filter(isTogether).length;
  expect(together, JSON.stringify(looks)).toBeGreaterThanOrEqual(0.7 * looks.length);
  for (const [at] of cluster.nodes.entries()) {
    const heights = looks.map((look) => look[at] ?? 0);
    expect(heights, "rises on each node").toEqual(heights.toSorted((a, b) => a - b));
  }

  // Where the machine stands still for longer than the guide's 92 ms, there was more than one leader.
  await untilAllFollow(cluster);
  const leaders = cluster.nodes.filter(hasLed);
  const { producer, height } = firstProduced(cluster.nodes);
  grep(producer, `INF raft: entering candidate state node=${producer.id}$`);
  grep(producer, "INF raft: election won tally=[345]$");
  grep(producer, `INF raft: entering leader state leader=${producer.id}$`);
  grep(producer, `INF block produced height=${height} hash=0x[0-9a-f]\\{64\\}$`);
  const anyLeader = `\\(${leaders.map(({ id }) => id).join("\\|")}\\)`;
  for (const node of othersThan(producer, cluster)) {
    grep(node, `INF raft: entering follower state leader=${anyLeader}$`);
    grep(node, `INF block applied from raft log height=${height} hash=0x[0-9a-f]\\{64\\}$`);
  }
  for (const node of cluster.nodes) checkCommandLine(node);

  const leader = await producingLeader(cluster);
  const fromMs = Date.now();
  leader.signal("SIGTERM");
  expect(await leader.exited).toEqual({ code: 0, signal: null });
  const successor = await producingLeader(cluster, [leader]);
  await untilGrown(successor, 2);
  const gapsMs = longestPauses(arrivals(cluster.nodes), [{ fromMs, toMs: Date.now() }]);
  report(`the tutorial's failover: ${describeDistribution(gapsMs)} (1 s blocks)`);
  await start(leader);
  await untilAllFollow(cluster);
  await auditChain(cluster);
  await endCleanly(cluster);
});

/** The guide's own text, with this node's name and ports in place of its. */
async function writeGuideConfig(node: LocalNode, cluster: LocalCluster): Promise<void> {
  const others = cluster.nodes.filter((other) => other !== node);
  const raftPeers = others.map(({ id, place }) => `${id}@127.0.0.1:${place.raftPort}`);
  const p2pPeers = await Promise.all(
    others.map(async ({ place }) => {
      const { peerId } = await readNodeKey(homeLayout(place.home).nodeKeyFile);
      return `/ip4/127.0.0.1/tcp/${place.p2pPort}/p2p/${peerId}`;
    }),
  );
  const text = readFileSync(guide, "utf8")
    .replace('"node-1"', `"${node.id}"`)
    .replace("0.0.0.0:5001", `0.0.0.0:${node.place.raftPort}`)
    .replace("/var/lib/ev-node/raft", join(node.place.home, "raft"))
    .replace(/"node-2@10[^"]*"/, `"${raftPeers.join(",")}"`)
    .replace("/ip4/0.0.0.0/tcp/26656", `/ip4/0.0.0.0/tcp/${node.place.p2pPort}`)
    .replace(/"\/ip4\/10[^"]*"/, `"${p2pPeers.join(",")}"`);
  writeFileSync(homeLayout(node.place.home).configFile, text);
}

/** What five hosts would not need: a port of its own for each, and homes that may be in memory. */
function start(node: LocalNode): Promise<void> {
  return node.start({
    EVNODE_RPC_ADDRESS: `127.0.0.1:${node.place.rpcPort}`,
    EVNODE_STORAGE_ALLOW_VOLATILE: "true",
  });
}

function hasLed(node: LocalNode): boolean {
  return logLines(node).some((line) => line.endsWith(`entering leader state leader=${node.id}`));
}

/** The lowest block that a node built itself, which is block 1 unless its leader was deposed meanwhile. */
function firstProduced(nodes: readonly LocalNode[]): { producer: LocalNode; height: number } {
  const produced = nodes.flatMap((producer) =>
    logLines(producer).flatMap((line) => {
      const [, height] = / INF block produced height=(\d+) /.exec(line) ?? [];
      return height === undefined ? [] : [{ producer, height: Number(height) }];
    }),
  );
  const [first] = produced.sort((one, other) => one.height - other.height);
  return defined(first, "a leader has produced a block");
}

function grep(node: LocalNode, pattern: string): void {
  execFileSync("grep", ["-q", "-m1", pattern, node.logFile]);
}

/** `pgrep -f "evm start"` finds the process, and `ps` shows no secret. */
function checkCommandLine(node: LocalNode): void {
  const commandLine = readFileSync(`/proc/${node.pid}/cmdline`, "utf8")
    .replaceAll("\0", " ")
    .trim();
  expect(commandLine).toMatch(/^evm start --home=\S+$/);
  expect(commandLine).not.toContain(node.place.passphrase);
  const found = execFileSync("pgrep", ["-f", `evm start.*/${node.id}$`])
    .toString()
    .trim();
  expect(found.split("\n")).toContain(String(node.pid));
}
