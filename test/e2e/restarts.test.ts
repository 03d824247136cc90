/** All nodes at once by `kill -9`, and one after the other as the tutorial's rolling restart says. */

import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { expect, it } from "vitest";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { auditChain } from "./harness/chain.ts";
import {
  endCleanly,
  kill,
  producingLeader,
  startCluster,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { Load } from "./harness/load.ts";
import { until } from "./harness/until.ts";

it("goes on where it was after kill -9 of all nodes at once", { timeout: 240_000 }, async () => {
  const cluster = await startCluster({ settings: { "node.block_time": "50ms" } });
  const load = new Load(cluster.nodes);
  load.start();
  for (let nth = 1; nth <= 3; nth++) {
    await untilGrown(await producingLeader(cluster), 20);
    await Promise.all(cluster.nodes.map(kill));
    await cluster.start();
    await untilAllFollow(cluster);
  }
  const acknowledged = await load.stop();
  await auditChain(cluster, acknowledged);
  await endCleanly(cluster);
});

it("restarts node by node, the leader last, with the tutorial's commands", {
  timeout: 240_000,
}, async () => {
  const cluster = await startCluster({ settings: { "node.block_time": "100ms" } });
  const load = new Load(cluster.nodes);
  load.start();
  const leader = await producingLeader(cluster);
  const inOrder = [...cluster.nodes.filter((node) => node !== leader), leader];
  for (const node of inOrder) {
    const logBytes = statSync(node.logFile).size;
    node.signal("SIGTERM");
    expect(await node.exited).toEqual({ code: 0, signal: null });
    await node.start();
    await until(`${node.id} says that it has rejoined`, () => hasRejoined(node, logBytes));
  }
  const acknowledged = await load.stop();
  await untilAllFollow(cluster);
  await auditChain(cluster, acknowledged);
  await endCleanly(cluster);
});

/** `journalctl -f | grep -m1 "follower state\|leader state"`, over what was logged since. */
function hasRejoined(node: LocalNode, sinceByte: number): boolean {
  const script = `tail -c +${sinceByte + 1} "$1" | grep -m1 "follower state\\|leader state"`;
  try {
    execFileSync("sh", ["-c", script, "sh", node.logFile], { stdio: "pipe" });
    return true;
  } catch {
    // grep has found nothing yet.
    return false;
  }
}
