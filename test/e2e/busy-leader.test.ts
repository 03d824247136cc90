/**
 * P13: busy is not dead. The main thread stands still ten leases long, and the leader leads on. P5: one that stands
 * still for much longer hangs, and another leads.
 */

import { expect, it } from "vitest";
import type { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { auditChain } from "./harness/chain.ts";
import {
  createCluster,
  endCleanly,
  logLines,
  producingLeader,
  statusOf,
  terminate,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { report } from "./harness/distribution.ts";
import { arrivals, longestPauses } from "./harness/gaps.ts";
import { Load } from "./harness/load.ts";
import { until } from "./harness/until.ts";

interface Case {
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly leaseMs: number;
  /** At least ten leases, and longer than any follower waits for its leader: twice the heartbeat timeout. */
  readonly busyMs: number;
  /** So often the leader must lead on, in so many attempts. */
  readonly times: number;
  readonly attempts: number;
}

/**
 * A machine that stands still deposes a leader too, whatever its main thread does: hence the attempts. Were
 * it the main thread that deposes it, it would do so in each of them.
 */
it.each<Case>([
  { heartbeatMs: 1_000, electionMs: 2_000, leaseMs: 300, busyMs: 3_000, times: 3, attempts: 6 },
  { heartbeatMs: 92, electionMs: 368, leaseMs: 46, busyMs: 500, times: 1, attempts: 3 },
])(
  "keeps its leadership while its main thread is busy for $busyMs ms, with a lease of $leaseMs ms",
  { timeout: 300_000 },
  async ({ heartbeatMs, electionMs, leaseMs, busyMs, times, attempts }) => {
    const cluster = await createCluster({
      settings: {
        "node.block_time": "100ms",
        "raft.heartbeat_timeout": `${heartbeatMs}ms`,
        "raft.election_timeout": `${electionMs}ms`,
        "raft.leader_lease_timeout": `${leaseMs}ms`,
      },
    });
    const environment = { NODE_OPTIONS: `--import=${preloadOf(busyMs)}` };
    await Promise.all(cluster.nodes.map((node) => node.start(environment)));
    let kept = 0;
    for (let nth = 1; nth <= attempts && kept < times; nth++) {
      await untilAllFollow(cluster);
      const leader = await producingLeader(cluster);
      const hasLedOn = await leadsOnWhileBusy(leader, { cluster, busyMs });
      report(`${leader.id} ${hasLedOn ? "has led on" : "was deposed"}, attempt ${nth}`);
      if (hasLedOn) kept++;
    }
    expect(kept, "times that the leader led on").toBe(times);
    await endCleanly(cluster);
  },
);

it("lets another lead when its main thread hangs", { timeout: 300_000 }, async () => {
  const cluster = await createCluster({ settings: { "node.block_time": "100ms" } });
  const environment = { NODE_OPTIONS: `--import=${preloadOf(30_000)}` };
  await Promise.all(cluster.nodes.map((node) => node.start(environment)));
  await untilAllFollow(cluster);
  const load = new Load(cluster.nodes);
  load.start();
  const hanging = await producingLeader(cluster);
  await untilGrown(hanging, 3);
  const logged = (text: string) => logLines(hanging).some((line) => line.includes(text));
  hanging.signal("SIGPROF");
  const successor = await producingLeader(cluster, [hanging]);
  await untilGrown(successor, 10);
  await until(`${hanging.id} tells of it`, () => logged("ERR raft: the main thread hangs"));
  await until(`${hanging.id} is well`, () => logged("INF raft: the main thread goes on"));
  await untilAllFollow(cluster);
  await auditChain(cluster, await load.stop());
  await terminate(cluster.running);
});

/** Whether it leads the same term afterwards, and everybody follows it. */
async function leadsOnWhileBusy(
  leader: LocalNode,
  { cluster, busyMs }: { readonly cluster: LocalCluster; readonly busyMs: number },
): Promise<boolean> {
  const before = await statusOf(leader);
  const timesBusy = () => logLines(leader).filter((line) => line.includes("test: was busy")).length;
  const timesBefore = timesBusy();
  const fromMs = Date.now();
  leader.signal("SIGPROF");
  await until(`${leader.id} was busy`, () => timesBusy() > timesBefore);
  await untilGrown(leader, 3);
  const [pauseMs = 0] = longestPauses(arrivals([leader]), [{ fromMs, toMs: Date.now() }]);
  report(`${leader.id} paused for ${pauseMs} ms while its main thread was busy for ${busyMs} ms`);
  expect(pauseMs, "its main thread stood still").toBeGreaterThanOrEqual(busyMs * 0.9);
  const statuses = await Promise.all(cluster.nodes.map(statusOf));
  const after = await statusOf(leader);
  return (
    after.raft?.role === "leader" &&
    after.raft.term === before.raft?.term &&
    statuses.every(({ raft }) => raft?.leaderId === leader.id)
  );
}

/** Loaded into a node: SIGPROF keeps its main thread busy, as a long execution or garbage collection would. */
function preloadOf(busyMs: number): string {
  const program = `(${keepBusyOnSignal.toString()})(${busyMs})`;
  return `data:text/javascript,${encodeURIComponent(program)}`;
}

/** Runs in the node, with nothing of this file around it. In its other threads there are no signals. */
function keepBusyOnSignal(busyMs: number): void {
  process.on("SIGPROF", () => {
    const endMs = performance.now() + busyMs;
    while (performance.now() < endMs);
    process.stderr.write(`${new Date().toISOString()} DBG test: was busy for ${busyMs} ms\n`);
  });
}
