/** Three nodes, each with a geth of its own beside it, for one test. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPublicClient, http, type PublicClient } from "viem";
import { expect, onTestFinished } from "vitest";
import { defined } from "../../../src/base/assert.ts";
import type { LocalCluster } from "../../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../../src/devnet/local-node.ts";
import { Geth } from "../../geth/geth.ts";
import { createCluster } from "./cluster.ts";
import { until } from "./until.ts";

/** A node and its client, each of which outlives the other. */
export interface Pair {
  readonly node: LocalNode;
  readonly geth: Geth;
  /** Asks the client itself, and not by way of the node. */
  readonly client: PublicClient;
}

export interface PairOptions {
  /** For the clients; the example's if there is none. */
  readonly genesis?: unknown;
  readonly nodeCount?: number;
}

export async function startPairs({
  nodeCount = 3,
  ...options
}: PairOptions = {}): Promise<{ readonly cluster: LocalCluster; readonly pairs: readonly Pair[] }> {
  const directory = mkdtempSync(join(tmpdir(), "engine-cluster-"));
  const cluster = await createCluster({
    nodeCount,
    settings: { "execution.type": "engine", "execution.unready_after": "1s" },
  });
  const geths = cluster.nodes.map(
    ({ id }) => new Geth({ directory: join(directory, id), recommitMs: 200, ...options }),
  );
  onTestFinished(async () => {
    await Promise.all(geths.map((geth) => geth.kill()));
    rmSync(directory, { recursive: true });
  });
  const startPair = async (node: LocalNode, geth: Geth): Promise<Pair> => {
    await geth.start();
    await startNode({ node, geth });
    const client = createPublicClient({ transport: http(geth.ethUrl), cacheTime: 0 });
    return { node, geth, client };
  };
  const starting = geths.map((geth, at) => startPair(defined(cluster.nodes[at], "as many"), geth));
  return { cluster, pairs: await Promise.all(starting) };
}

export async function startNode({ node, geth }: Pick<Pair, "node" | "geth">): Promise<void> {
  await node.start({
    EVM_ETH_URL: geth.ethUrl,
    EVM_ENGINE_URL: geth.engineUrl,
    EVM_JWT_SECRET: Buffer.from(geth.jwtSecret).toString("hex"),
  });
}

export function pairOf(pairs: readonly Pair[], node: LocalNode): Pair {
  const found = pairs.find((pair) => pair.node === node);
  if (found === undefined) throw new Error(`${node.id} is one of the nodes`);
  return found;
}

/** A client that was killed gets the whole chain again, which a busy machine takes its time for. */
const readyLimitMs = 240_000;

/** Resolves once the node says that it is fit to lead. */
export async function untilReady({ node }: Pair): Promise<void> {
  const isReady = async () => {
    const answer = await fetch(`${node.rpcUrl}/health/ready`).catch(() => null);
    return answer?.status === 200;
  };
  await until(`${node.id} is ready`, isReady, { limitMs: readyLimitMs });
}

/**
 * Every client has the same blocks up to the lowest head, with the same states, transactions and receipts.
 * Returns the hashes of all transactions in the order of the chain.
 */
export async function auditClients(pairs: readonly Pair[]): Promise<readonly string[]> {
  const heads = await Promise.all(pairs.map(({ client }) => client.getBlockNumber()));
  const head = Math.min(...heads.map(Number));
  const hashes: string[] = [];
  for (let height = 0; height <= head; height++) {
    const blockNumber = BigInt(height);
    const blockTag = `0x${height.toString(16)}` as const;
    const views = await Promise.all(
      pairs.map(async ({ client }) => ({
        block: await client.getBlock({ blockNumber }),
        receipts: await client.request({ method: "eth_getBlockReceipts", params: [blockTag] }),
      })),
    );
    const [first, ...others] = views;
    for (const other of others) expect(other, `block ${height}`).toEqual(first);
    expect(first?.block.stateRoot).toMatch(/^0x[0-9a-f]{64}$/);
    hashes.push(...(first?.block.transactions ?? []));
    expect(first?.receipts?.map(({ status }) => status)).toEqual(
      first?.block.transactions.map(() => "0x1"),
    );
  }
  return hashes;
}
