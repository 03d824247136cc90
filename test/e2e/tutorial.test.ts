/** The tutorial of an ev-node cluster with five nodes, on one machine: its YAML, its commands, its log lines. */

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { homeLayout } from "../../src/home/layout.ts";
import { readNodeKey } from "../../src/home/node-key.ts";
import { auditChain } from "./harness/chain.ts";
import {
  createCluster,
  endCleanly,
  producingLeader,
  statusesOf,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { describeDistribution, report } from "./harness/distribution.ts";
import { arrivals, longestPauses } from "./harness/gaps.ts";

const guide = join(import.meta.dirname, "..", "config", "vectors", "guide-node-1.yaml");

it("runs as the tutorial says", { timeout: 300_000 }, async () => {
  const cluster = await createCluster({ nodeCount: 5 });
  for (const node of cluster.nodes) await writeGuideConfig(node, cluster);
  await Promise.all(cluster.nodes.map((node) => start(node)));
  await untilAllFollow(cluster);
  const leader = await producingLeader(cluster);
  await untilGrown(leader, 4);

  // "All five nodes should report the same height (or within 1-2 blocks of each other)."
  const heights = (await statusesOf(cluster.nodes))?.map(({ height }) => height) ?? [];
  expect(heights).toHaveLength(5);
  expect(Math.max(...heights) - Math.min(...heights)).toBeLessThanOrEqual(2);

  grep(leader, `INF raft: entering candidate state node=${leader.id}$`);
  grep(leader, "INF raft: election won tally=[345]$");
  grep(leader, `INF raft: entering leader state leader=${leader.id}$`);
  grep(leader, "INF block produced height=1 hash=0x[0-9a-f]\\{64\\}$");
  for (const node of cluster.nodes.filter((other) => other !== leader)) {
    grep(node, `INF raft: entering follower state leader=${leader.id}$`);
    grep(node, "INF block applied from raft log height=1 hash=0x[0-9a-f]\\{64\\}$");
  }
  for (const node of cluster.nodes) checkCommandLine(node);

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
