/** P6 beside members in Go, which cannot be asked what they know: one of ours loses its raft_dir. */

import { describe, expect, it } from "vitest";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { heightOf, kill, logLines } from "../e2e/harness/cluster.ts";
import { loseRaftDir } from "../e2e/harness/disks.ts";
import { until } from "../e2e/harness/until.ts";
import { checkAgreement } from "./agreement.ts";
import { isOurs, leaderAmong, type Member, MixedCluster, raftStateOf } from "./mixed-cluster.ts";
import { hasProgram, needing } from "./programs.ts";

const timeout = 600_000;

const shapes = [
  { ours: 2, hashicorp: 1 },
  { ours: 1, hashicorp: 2 },
] as const;

describe.skipIf(!hasProgram("hashicorp"))(needing("hashicorp", "a member of ours"), () => {
  it.each(shapes)(
    "of $ours beside $hashicorp of hashicorp's, whose raft_dir is lost, has its log back from Go, and votes again",
    { timeout },
    async (shape) => {
      const cluster = await MixedCluster.start(shape);
      const go = cluster.go("go-1");
      const victim = cluster.node(`node-${shape.ours}`);
      await cluster.produceBy(go, 3);
      const recoveries = recoveriesOf(victim);
      await kill(victim);
      await loseRaftDir(victim);
      await cluster.produceBy(go, 3);
      await victim.start();
      await until(`${victim.id} has regained its log`, () =>
        Promise.resolve(recoveriesOf(victim) > recoveries),
      );
      await cluster.untilApplied();

      // Of three members two are left: who is elected has the vote of the one that was wiped, or is it.
      await cluster.handOverTo(go.id);
      const { term } = await raftStateOf(go);
      await go.kill();
      const elected = await until("those that are left elect one of them", () =>
        leaderAmong(cluster.running),
      );
      expect((await raftStateOf(elected)).term).toBeGreaterThan(term);
      await growBy(cluster, elected);
      await go.start();
      await cluster.untilApplied();
      await checkAgreement(cluster);
    },
  );
});

/** A block more, of whichever kind it is. */
async function growBy(cluster: MixedCluster, leader: Member): Promise<void> {
  if (!isOurs(leader)) return await cluster.produceBy(leader, 1);
  const height = await heightOf(leader);
  await until("a block more", async () => (await heightOf(leader)) > height);
}

function recoveriesOf(node: LocalNode): number {
  return logLines(node).filter((line) => line.includes("raft: recovered")).length;
}
