/** Three nodes, each with a client of ev-reth's kind that this test answers for. */

import { expect, onTestFinished } from "vitest";
import type { LocalCluster } from "../../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../../src/devnet/local-node.ts";
import { FakeEvReth, jwtSecret } from "../../execution/engine/fake-ev-reth.ts";
import { createCluster, untilAllFollow } from "./cluster.ts";

export interface FakePair {
  readonly node: LocalNode;
  readonly client: FakeEvReth;
  readonly start: () => Promise<void>;
}

const settings = {
  "execution.type": "engine",
  "execution.unready_after": "1s",
  "node.block_time": "200ms",
  // Who leads is to hang on the clients, and not on how busy the machine is.
  "raft.heartbeat_timeout": "500ms",
  "raft.election_timeout": "1s",
  "raft.leader_lease_timeout": "250ms",
};

export async function startFakePairs(): Promise<{
  readonly cluster: LocalCluster;
  readonly pairs: readonly FakePair[];
}> {
  const cluster = await createCluster({ settings });
  const pairs = await Promise.all(cluster.nodes.map(pairWith));
  await Promise.all(pairs.map(({ start }) => start()));
  await untilAllFollow(cluster);
  return { cluster, pairs };
}

async function pairWith(node: LocalNode): Promise<FakePair> {
  const client = new FakeEvReth();
  const { engineUrl, ethUrl } = await client.start();
  onTestFinished(() => client.stop());
  const environment = {
    EVM_ETH_URL: ethUrl,
    EVM_ENGINE_URL: engineUrl,
    EVM_JWT_SECRET: Buffer.from(jwtSecret).toString("hex"),
  };
  return { node, client, start: () => node.start(environment) };
}

/** No client's head has ever gone back, and all went the same way (P1, P2). */
export function expectOneWay(pairs: readonly FakePair[]): void {
  const [longest = []] = pairs
    .map(({ client }) => client.heads)
    .sort((a, b) => b.length - a.length);
  expect(new Set(longest).size).toBe(longest.length);
  for (const { node, client } of pairs) {
    expect(client.heads, node.id).toEqual(longest.slice(0, client.heads.length));
  }
}
