/** A leader whose disk becomes slow hands over to one whose disk is not, and the chain goes on (P5). */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { Disk, whyNoDisk } from "../chaos/disk.ts";
import { auditChain } from "./harness/chain.ts";
import {
  createCluster,
  endCleanly,
  othersThan,
  producingLeader,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { report } from "./harness/distribution.ts";
import { countFrom } from "./harness/effort.ts";
import { LogTail } from "./harness/log-tail.ts";
import { until } from "./harness/until.ts";
import { unreadyReason } from "./harness/watch.ts";

/** How often a leader's disk becomes slow; more by `EVM_E2E_SLOW_DISKS`. */
const rounds = countFrom("EVM_E2E_SLOW_DISKS", 1);
/** An fsync is some writes: it takes seconds. */
const writesPerSecond = 2;
/** An fsync takes a good part of a second: slow, and yet blocks follow one another. */
const writesPerSecondOfAll = 20;
/** What other tests do meanwhile to the disk below all of them is not slow by these. */
const settings = {
  "node.block_time": "100ms",
  "raft.heartbeat_timeout": "1000ms",
  "raft.election_timeout": "2000ms",
  "raft.leader_lease_timeout": "500ms",
  "raft.send_timeout": "500ms",
};
const patience = { limitMs: 180_000 };

const whyNot = whyNoDisk("slow");
if (whyNot !== null) report(`without slow disks: ${whyNot}`);

it.skipIf(whyNot !== null).each([
  { what: "log and blocks", names: ["data", "raft"], says: /the disk of .+ is slow/ },
  { what: "blocks alone", names: ["data"], says: /the disk of the data directory is slow/ },
])(
  "a leader whose disk of $what is slow hands over, and is well again (needs mounts)",
  {
    timeout: 300_000 + 300_000 * rounds,
  },
  async ({ what, names, says }) => {
    const cluster = await createCluster({ settings });
    const disks = mountDisks(cluster.nodes, names);
    await cluster.start();
    await untilAllFollow(cluster);
    for (let round = 1; round <= rounds; round++) {
      const slow = await producingLeader(cluster);
      const others = othersThan(slow, cluster);
      await until("another is ready", () => isOneReady(others), patience);
      const tail = new LogTail(slow);
      disks.get(slow)?.limitWrites(writesPerSecond);
      const next = await producingLeader(cluster, [slow]);
      // Handed over, before its silence or anybody's timeout.
      expect(tail.has(says), `round ${round}`).toBe(true);
      expect(tail.has(/raft: starting leadership transfer/), `round ${round}`).toBe(true);
      await untilGrown(next, 20, patience);
      expect(await unreadyReason(slow)).toMatch(says);
      expect((await slow.status())?.raft?.role).not.toBe("leader");
      disks.get(slow)?.limitWrites(null);
      await until(
        `${slow.id} is ready`,
        async () => (await unreadyReason(slow)) === null,
        patience,
      );
      report(`${what}, round ${round}: ${slow.id} handed over to ${next.id}`);
    }
    await untilAllFollow(cluster);
    await auditChain(cluster);
    await endCleanly(cluster);
  },
);

it.skipIf(whyNot !== null)(
  "when all disks are slow one leads all the same, and says that it serves (needs mounts)",
  { timeout: 600_000 },
  async () => {
    // Slow blocks are on time, if they are to take a second anyhow.
    const cluster = await createCluster({ settings: { ...settings, "node.block_time": "1s" } });
    const disks = mountDisks(cluster.nodes, ["data", "raft"]);
    await cluster.start();
    await untilAllFollow(cluster);
    const tails = new Map(cluster.nodes.map((node) => [node, new LogTail(node)]));
    for (const disk of disks.values()) disk.limitWrites(writesPerSecondOfAll);
    const isSlow = (node: LocalNode) => {
      const [slow, well] = [/is slow takesMs=/, /is fast enough again/];
      const tail = tails.get(node);
      return tail !== undefined && tail.count(slow) > tail.count(well);
    };
    const serving = await until(
      "a leader on a slow disk is ready",
      async () => {
        const leader = await producingLeader(cluster);
        return isSlow(leader) && (await unreadyReason(leader)) === null ? leader : null;
      },
      patience,
    );
    await untilGrown(serving, 5, patience);
    await until("all disks are slow", () => cluster.nodes.every(isSlow), patience);
    report(`all slow: ${serving.id} led on, and was ready`);
    for (const disk of disks.values()) disk.limitWrites(null);
    await untilAllFollow(cluster);
    await auditChain(cluster);
    await endCleanly(cluster);
  },
);

async function isOneReady(nodes: readonly LocalNode[]): Promise<boolean> {
  return (await Promise.all(nodes.map(unreadyReason))).includes(null);
}

/** One for each, with those directories on it. */
function mountDisks(
  nodes: readonly LocalNode[],
  names: readonly string[],
): ReadonlyMap<LocalNode, Disk> {
  const directory = mkdtempSync(join(tmpdir(), "evm-disks-"));
  const disks = new Map(nodes.map((node) => [node, new Disk(join(directory, node.id))]));
  onTestFinished(() => {
    for (const disk of disks.values()) disk.unmount();
    rmSync(directory, { recursive: true, force: true });
  });
  for (const [node, disk] of disks) disk.carry(node.place.home, names);
  return disks;
}
