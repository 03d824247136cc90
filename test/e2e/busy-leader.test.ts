/** P13: busy is not dead. The main thread stands still ten leases long, and the leader leads on. */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import {
  createCluster,
  endCleanly,
  logLines,
  producingLeader,
  untilAllFollow,
  untilGrown,
} from "./harness/cluster.ts";
import { until } from "./harness/until.ts";

const preload = pathToFileURL(join(import.meta.dirname, "harness", "busy-on-signal.ts"));
const times = 3;

it("keeps its leadership while its main thread is busy for 500 ms", {
  timeout: 120_000,
}, async () => {
  const cluster = await createCluster({
    settings: { "node.block_time": "100ms", "raft.leader_lease_timeout": "46ms" },
  });
  const environment = { NODE_OPTIONS: `--import=${preload.href}` };
  await Promise.all(cluster.nodes.map((node) => node.start(environment)));
  await untilAllFollow(cluster);
  const leader = await producingLeader(cluster);
  const before = await leader.status();
  for (let nth = 1; nth <= times; nth++) {
    leader.signal("SIGPROF");
    await until(`${leader.id} was busy`, () => {
      return logLines(leader).filter((line) => line.includes("test: was busy")).length === nth;
    });
    await untilGrown(leader, 3);
  }
  const after = await leader.status();
  expect(after?.raft?.role).toBe("leader");
  expect(after?.raft?.term).toBe(before?.raft?.term);
  for (const node of cluster.nodes) {
    expect((await node.status())?.raft?.leaderId).toBe(leader.id);
  }
  await endCleanly(cluster);
});
