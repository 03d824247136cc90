/**
 * How fast a whole node comes back that has no blocks: from the log of the others, and where that has been
 * compacted by a snapshot and the blocks of one, two or four of them. Each block is verified, executed
 * and stored, as always. The chain is made beforehand; nothing is produced meanwhile.
 */

import { cp, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../src/base/task-group.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { NodeConfig } from "../../src/config/schema.ts";
import { monotonicMs } from "../../src/consensus/shared-lease.ts";
import { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { type Home, openHome } from "../../src/node/open-home.ts";
import { type Figure, figure, sizeText } from "../figure.ts";
import { writeBlocks, writeLog } from "../long-chain.ts";
import type { Section, SectionContext } from "../section.ts";

/** peers 0: from the log. Larger blocks are fewer, so that each case moves about as much. */
const cases = [0, 1, 2, 4].flatMap((peers) => [
  { peers, txBytes: 1024, share: 1 },
  { peers, txBytes: 100 * 1024, share: 1 / 10 },
]);

const trailingLogs = 100;
const blocksMin = 2 * trailingLogs;
const patienceMs = 10 * 60_000;
const pollMs = 20;

const settings = {
  // Nothing new comes while it is measured.
  "node.block_time": "1h",
  "log.level": "warn",
};

export const catchUpSection: Section = {
  name: "catch-up",
  async run(context: SectionContext): Promise<readonly Figure[]> {
    const figures: Figure[] = [];
    for (const { peers, txBytes, share } of cases) {
      const blocks = Math.max(blocksMin, Math.round(context.effort.catchUpEntries * share));
      figures.push(...(await measure(context, { peers, txBytes, blocks })));
    }
    return figures;
  },
};

interface Case {
  readonly peers: number;
  readonly txBytes: number;
  readonly blocks: number;
}

async function measure(
  { workDir, execArgv }: SectionContext,
  { peers, txBytes, blocks }: Case,
): Promise<readonly Figure[]> {
  const directory = await mkdtemp(join(workDir, "bench-"));
  const nodeCount = Math.max(3, peers + 1);
  // The others keep the whole log, or next to nothing of it.
  const kept = { "raft.trailing_logs": String(peers === 0 ? 2 * blocks : trailingLogs) };
  const cluster = await LocalCluster.create({
    directory,
    nodeCount,
    settings: { ...settings, ...kept },
  });
  try {
    const [behind, ...others] = cluster.nodes;
    if (behind === undefined) throw new Error("a cluster has nodes");
    await prepare(cluster, { peers, txBytes, blocks });
    await Promise.all(others.map((node) => node.start()));
    const serving = addressesOf(behind).slice(0, peers);
    await behind.start({
      EVNODE_P2P_PEERS: serving.join(","),
      ...(execArgv.length === 0 ? {} : { NODE_OPTIONS: execArgv.join(" ") }),
    });
    const begin = await heightReached(behind, 1);
    const cpuBefore = await cpuSeconds(behind);
    const end = await heightReached(behind, blocks);
    const done = end.height - begin.height;
    const from = peers === 0 ? "the log" : `${peers} peer${peers === 1 ? "" : "s"}`;
    const name = `${sizeText(txBytes)} blocks from ${from}`;
    const perSecond = (done / (end.atMs - begin.atMs)) * 1000;
    const cpu = (((await cpuSeconds(behind)) - cpuBefore) / done) * 1000;
    return [
      figure("catch-up", name, "per s", [perSecond]),
      figure("catch-up", `${name}: processor, 1,000 blocks`, "s", [cpu]),
    ];
  } finally {
    await cluster.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** The first node has its empty beginning of the log; the others have the chain and, unless `peers` is 0, its end. */
async function prepare(cluster: LocalCluster, { peers, txBytes, blocks }: Case): Promise<void> {
  const [behind, author, ...copies] = await Promise.all(cluster.nodes.map(openNode));
  if (behind === undefined || author === undefined) throw new Error("a cluster has nodes");
  const memberIds = cluster.nodes.map(({ id }) => id);
  const { chainId } = author.home.genesis;
  const lastPayloads = await writeBlocks({
    ...author,
    blocks,
    txBytes,
    trailingLogs: peers === 0 ? blocks : trailingLogs,
  });
  const payloads = peers === 0 ? lastPayloads.slice(-blocks) : lastPayloads;
  for (const { config } of copies) {
    await cp(author.config.dbPath, config.dbPath, { recursive: true });
  }
  for (const { config } of [author, ...copies]) {
    await writeLog(config, { blocks, lastPayloads: payloads, chainId, memberIds });
  }
  await writeLog(behind.config, { blocks: 0, lastPayloads: [], chainId, memberIds });
}

async function openNode({ place }: LocalNode): Promise<{ config: NodeConfig; home: Home }> {
  const { config } = loadConfig({
    home: place.home,
    flags: { settings: [], problems: [] },
    environment: {},
    workingDirectory: place.home,
  });
  return { config, home: await openHome(config, place.passphrase) };
}

/** Where the others serve blocks. */
function addressesOf({ place }: LocalNode): readonly string[] {
  const { config } = loadConfig({
    home: place.home,
    flags: { settings: [], problems: [] },
    environment: {},
    workingDirectory: place.home,
  });
  const own = `/tcp/${place.p2pPort}/`;
  return config.p2p.peers.filter((peer) => !peer.includes(own));
}

async function heightReached(
  node: LocalNode,
  wanted: number,
): Promise<{ readonly height: number; readonly atMs: number }> {
  const endMs = monotonicMs() + patienceMs;
  for (;;) {
    const height = (await node.status())?.height ?? 0;
    if (height >= wanted) return { height, atMs: monotonicMs() };
    if (!node.isRunning) throw new Error(`${node.id} ended; ${node.logFile} says why`);
    if (monotonicMs() > endMs) throw new Error(`${node.id} is at ${height} of ${wanted}`);
    await sleep(pollMs);
  }
}

async function cpuSeconds(node: LocalNode): Promise<number> {
  const text = await (await fetch(node.metricsUrl)).text();
  const line = /^process_cpu_seconds_total(?:\{[^}]*\})? (\S+)/m.exec(text);
  if (line === null) throw new Error(`${node.metricsUrl} has no process_cpu_seconds_total`);
  return Number(line[1]);
}
