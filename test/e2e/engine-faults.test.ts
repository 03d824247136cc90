/**
 * Three nodes with a geth each, wallets that send to any of them, and the leader's node or its client
 * dies or stops: what was accepted is mined exactly once (P7), and no client's head ever goes back (P1, P2).
 */

import { describe, expect, it } from "vitest";
import { sleep } from "../../src/base/task-group.ts";
import type { LocalCluster } from "../../src/devnet/local-cluster.ts";
import { hasGeth, needingGeth } from "../geth/binary.ts";
import { kill, producingLeader, untilAllFollow, untilGrown } from "./harness/cluster.ts";
import { describeDistribution, report } from "./harness/distribution.ts";
import {
  auditClients,
  type Pair,
  pairOf,
  startNode,
  startPairs,
  untilReady,
} from "./harness/engine-cluster.ts";
import { arrivals, longestPauses, type Period } from "./harness/gaps.ts";
import { HeadWatch } from "./harness/head-watch.ts";
import { Transfers, transfersGenesis } from "./harness/transfers.ts";
import { until } from "./harness/until.ts";

/** Leaders killed, clients of leaders killed, leaders stopped for 5 s; more by `EVM_E2E_ENGINE_FAULTS`, as 20/20/10. */
const [nodeKills = 0, clientKills = 0, pauses = 0] = (
  process.env["EVM_E2E_ENGINE_FAULTS"] ?? "2/2/1"
)
  .split("/")
  .map(Number);
const pauseMs = 5_000;

interface Fault {
  readonly name: string;
  readonly count: number;
  /** Befalls the leader, and ends once the cluster is whole again. */
  readonly run: (cluster: LocalCluster, pairs: readonly Pair[], leader: Pair) => Promise<void>;
}

const faults: readonly Fault[] = [
  {
    name: "kill -9 of the leader",
    count: nodeKills,
    run: async (cluster, _pairs, leader) => {
      await kill(leader.node);
      await untilGrown(await producingLeader(cluster, [leader.node]), 2);
      await startNode(leader);
    },
  },
  {
    name: "kill -9 of the leader's client",
    count: clientKills,
    run: async (cluster, _pairs, leader) => {
      await leader.geth.kill();
      await untilGrown(await producingLeader(cluster, [leader.node]), 2);
      await leader.geth.start();
    },
  },
  {
    name: "the leader stopped for 5 s",
    count: pauses,
    run: async (cluster, _pairs, leader) => {
      leader.node.signal("SIGSTOP");
      await sleep(pauseMs);
      leader.node.signal("SIGCONT");
      await untilGrown(await producingLeader(cluster), 2);
    },
  },
];

describe.skipIf(!hasGeth())(needingGeth("wallets under way"), () => {
  it(`lose nothing by ${nodeKills} dead leaders, ${clientKills} dead clients and ${pauses} stopped leaders`, {
    timeout: 240_000 + (nodeKills + clientKills + pauses) * 60_000,
  }, async () => {
    const { cluster, pairs } = await startPairs({ genesis: transfersGenesis });
    await untilAllFollow(cluster);
    const heads = new HeadWatch(pairs);
    heads.start();
    const transfers = new Transfers(pairs.map(({ node }) => node.rpcUrl));
    transfers.start();
    const gaps: { readonly name: string; readonly periods: readonly Period[] }[] = [];
    for (const { name, count, run } of faults) {
      const periods: Period[] = [];
      for (let nth = 0; nth < count; nth++) {
        const leader = pairOf(pairs, await producingLeader(cluster));
        const fromMs = Date.now();
        await run(cluster, pairs, leader);
        periods.push({ fromMs, toMs: Date.now() });
        for (const pair of pairs) await untilReady(pair);
        await untilAllFollow(cluster);
      }
      gaps.push({ name, periods });
    }
    const nonces = await transfers.stop();
    await until("every client has every accepted transfer", async () => {
      for (const { client } of pairs) {
        for (const [address, nonce] of nonces) {
          if ((await client.getTransactionCount({ address })) !== nonce) return false;
        }
      }
      return true;
    });
    await heads.stop();

    report(transfers.describe());
    const blocks = arrivals(pairs.map(({ node }) => node));
    for (const { name, periods } of gaps) {
      report(
        `pause of the chain, ${name}: ${describeDistribution(longestPauses(blocks, periods))}`,
      );
    }
    expect(heads.violations).toEqual([]);
    expect(heads.looks).toBeGreaterThan(pairs.length);
    const mined = await auditClients(pairs);
    expect(new Set(mined).size).toBe(mined.length);
    expect(mined.toSorted()).toEqual(transfers.accepted.toSorted());
  });
});
