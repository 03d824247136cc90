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
const rounds = countFrom("EVM_E2E_SLOW_DISKS", 2);
/** An fsync is some writes: it takes seconds. */
const writesPerSecond = 2;
/** ev-node's own timeouts: where other tests run beside this one no healthy disk comes near the limit. */
const settings = {
  "node.block_time": "100ms",
  "raft.heartbeat_timeout": "350ms",
  "raft.election_timeout": "1000ms",
  "raft.leader_lease_timeout": "175ms",
  "raft.send_timeout": "200ms",
};
const patience = { limitMs: 60_000 };

const whyNot = whyNoDisk("slow");
if (whyNot !== null) report(`without slow disks: ${whyNot}`);

it.skipIf(whyNot !== null)(
  `${rounds} leaders with slow disks hand over, and are well again`,
  {
    timeout: 240_000 + 120_000 * rounds,
  },
  async () => {
    const cluster = await createCluster({ settings });
    const disks = mountDisks(cluster.nodes);
    await cluster.start();
    await untilAllFollow(cluster);
    for (let round = 1; round <= rounds; round++) {
      for (const node of cluster.nodes) {
        await until(`${node.id} is ready`, async () => (await unreadyReason(node)) === null);
      }
      const slow = await producingLeader(cluster);
      const tail = new LogTail(slow);
      disks.get(slow)?.limitWrites(writesPerSecond);
      const next = await producingLeader(cluster, [slow]);
      // Handed over, before its silence or anybody's timeout.
      expect(tail.has(/the disk of raft_dir is slow/), `round ${round}`).toBe(true);
      expect(tail.has(/raft: starting leadership transfer/), `round ${round}`).toBe(true);
      await untilGrown(next, 20, patience);
      expect(await unreadyReason(slow)).toMatch(
        /the disk of raft_dir is slow: a write takes \d+ ms/,
      );
      expect((await slow.status())?.raft?.role).not.toBe("leader");
      disks.get(slow)?.limitWrites(null);
      await until(
        `${slow.id} is ready`,
        async () => (await unreadyReason(slow)) === null,
        patience,
      );
      report(`round ${round}: ${slow.id} handed over to ${next.id}`);
    }
    await untilAllFollow(cluster);
    await auditChain(cluster);
    await endCleanly(cluster);
  },
);

/** One for each, with its blocks and its log. */
function mountDisks(nodes: readonly LocalNode[]): ReadonlyMap<LocalNode, Disk> {
  const directory = mkdtempSync(join(tmpdir(), "evm-disks-"));
  const disks = new Map(nodes.map((node) => [node, new Disk(join(directory, node.id))]));
  onTestFinished(() => {
    for (const disk of disks.values()) disk.unmount();
    rmSync(directory, { recursive: true, force: true });
  });
  for (const [node, disk] of disks) disk.carry(node.place.home);
  return disks;
}
