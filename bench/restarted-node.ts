/** A node with a long chain behind it: how long it takes to start, and what it has in memory then. */

import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { defined } from "../src/base/assert.ts";
import { loadConfig } from "../src/config/load.ts";
import { monotonicMs } from "../src/consensus/shared-lease.ts";
import { LocalCluster } from "../src/devnet/local-cluster.ts";
import type { LocalNode } from "../src/devnet/local-node.ts";
import { openHome } from "../src/node/open-home.ts";
import { writeLongChain } from "./long-chain.ts";

export interface Restart {
  /** From the start of the process until it leads: all that was committed is applied. */
  readonly readyMs: number;
  /** That the process used until then: unlike the time, it does not depend on what else the machine does. */
  readonly processorMs: number;
  /** A little later. */
  readonly residentBytes: number;
}

const txBytes = 1024;
const trailingLogs = 200;

/** For what a start leaves to be collected; the same for every chain. */
const settleMs = 1_000;
const patienceMs = 60_000;

export class RestartedNode {
  readonly #node: LocalNode;

  private constructor(node: LocalNode) {
    this.#node = node;
  }

  /** The only member of a cluster, so that nobody else's time is measured. */
  static async create(directory: string, blocks: number): Promise<RestartedNode> {
    const cluster = await LocalCluster.create({
      directory,
      nodeCount: 1,
      settings: { "node.lazy_mode": "true", "node.lazy_block_interval": "24h" },
    });
    const node = defined(cluster.nodes[0], "a cluster of one has a node");
    const { config } = loadConfig({
      home: node.place.home,
      flags: { settings: [], problems: [] },
      environment: {},
      workingDirectory: directory,
    });
    const home = await openHome(config, node.place.passphrase);
    await writeLongChain({ config, home, blocks, txBytes, trailingLogs });
    return new RestartedNode(node);
  }

  /** Starts the node, measures it, and stops it. */
  async restart(): Promise<Restart> {
    const node = this.#node;
    const startedMs = monotonicMs();
    await node.start();
    try {
      while (!(await leads(node))) {
        if (monotonicMs() - startedMs > patienceMs) throw new Error(`see ${node.logFile}`);
        await delay(5);
      }
      const readyMs = monotonicMs() - startedMs;
      const usedMs = processorMs(node);
      await delay(settleMs);
      return { readyMs, processorMs: usedMs, residentBytes: residentBytes(node) };
    } finally {
      await node.stop(patienceMs);
    }
  }
}

async function leads({ rpcUrl }: LocalNode): Promise<boolean> {
  return fetch(`${rpcUrl}/health/leader`).then(
    ({ status }) => status === 200,
    // It does not listen yet.
    () => false,
  );
}

function residentBytes({ pid }: LocalNode): number {
  const status = readFileSync(`/proc/${defined(pid, "it runs")}/status`, "utf8");
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}

/** User and system time, which Linux counts in hundredths of a second. */
function processorMs({ pid }: LocalNode): number {
  const stat = readFileSync(`/proc/${defined(pid, "it runs")}/stat`, "utf8");
  // The second field is the name in parentheses, and may hold spaces.
  const [user, system] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13);
  return 10 * (Number(user) + Number(system));
}
