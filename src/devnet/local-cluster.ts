/**
 * A real cluster on this machine: each node a process of its own, with its own home under one folder
 * and free ports on loopback; signer and genesis shared. For `evm devnet`, end-to-end tests and
 * benchmarks.
 */

import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "../block/hash.ts";
import { printConfig } from "../config/print.ts";
import { newGenesis, writeGenesis } from "../home/genesis.ts";
import { homeLayout } from "../home/layout.ts";
import { createNodeKey } from "../home/node-key.ts";
import { writePrivateFile } from "../home/private-file.ts";
import { keyPairFromSeed } from "../home/raw-key.ts";
import { writeSigner } from "../home/signer-file.ts";
import { portPicker } from "./free-ports.ts";
import type { ProcessGuard } from "./guard.ts";
import { LocalNode, type LocalNodePlace } from "./local-node.ts";

export interface LocalClusterOptions {
  /** The homes are put under it; those that an earlier cluster left there are removed. */
  readonly directory: string;
  readonly nodeCount: number;
  readonly chainId?: string;
  /** Settings by key name, `node.block_time`, for all nodes; over the defaults below. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The address of the n-th node (from 1). */
  readonly hostOf?: (nth: number) => string;
  /** Members that are not this cluster's to start, as `id@host:port`. */
  readonly otherMembers?: readonly string[];
  /** Flags after `evm start` besides `--home`. */
  readonly flags?: readonly string[];
  /** Where `from` finds the Raft port of `to`; its own address unless this is given. */
  readonly peerAddressOf?: (from: LocalNodePlace, to: LocalNodePlace) => Promise<string>;
  /** Kills the nodes should this process end without doing so. */
  readonly guard?: ProcessGuard;
}

/** Nobody keeps anything behind it: the homes are thrown away. */
const passphrase = "devnet";

/** A leader that dies is replaced within tens of milliseconds on loopback. */
const timeouts = {
  "raft.heartbeat_timeout": "92ms",
  "raft.election_timeout": "368ms",
  "raft.leader_lease_timeout": "46ms",
  "raft.send_timeout": "50ms",
};

const defaultSettings = {
  "node.aggregator": "true",
  "raft.enable": "true",
  "instrumentation.prometheus": "true",
  // A folder under /tmp may be in memory; nothing of value is in these homes.
  "storage.allow_volatile": "true",
};

export class LocalCluster {
  readonly nodes: readonly LocalNode[];

  private constructor(nodes: readonly LocalNode[]) {
    this.nodes = nodes;
  }

  /** Makes the homes; starts nothing. */
  static async create(options: LocalClusterOptions): Promise<LocalCluster> {
    const { directory, nodeCount, chainId = "devnet", hostOf = () => "127.0.0.1" } = options;
    await removeHomes(directory);
    const nextPort = portPicker();
    const places: LocalNodePlace[] = [];
    for (let nth = 1; nth <= nodeCount; nth++) {
      const host = hostOf(nth);
      const raftPort = await nextPort(host);
      const rpcPort = await nextPort(host);
      const metricsPort = await nextPort(host);
      const p2pPort = await nextPort(host);
      const id = `node-${nth}`;
      const home = join(directory, id);
      places.push({ id, home, host, raftPort, rpcPort, metricsPort, p2pPort, passphrase });
    }
    const pair = keyPairFromSeed(crypto.getRandomValues(new Uint8Array(32)));
    const startTimeNs = BigInt(Date.now()) * 1_000_000n;
    const proposerAddress = sha256(pair.publicKey);
    const genesis = newGenesis({ chainId, proposerAddress, startTimeNs });
    const p2pPeers: string[] = [];
    for (const { home, host, p2pPort } of places) {
      const layout = homeLayout(home);
      await mkdir(layout.configDir, { recursive: true, mode: 0o700 });
      await writeSigner(layout.signerFile, pair, { passphrase, overwrite: false });
      await writeGenesis(layout.genesisFile, genesis);
      const { peerId } = await createNodeKey(layout.nodeKeyFile);
      p2pPeers.push(`/ip4/${host}/tcp/${p2pPort}/p2p/${peerId}`);
    }
    for (const place of places) {
      const settings = new Map([
        // One list for all: a node skips its own entry.
        ["p2p.peers", p2pPeers.join(",")],
        ...Object.entries(await settingsOf(place, places, options)),
      ]);
      const { configFile } = homeLayout(place.home);
      await writePrivateFile(configFile, printConfig(settings), { overwrite: false });
    }
    const { flags = [], guard = null } = options;
    return new LocalCluster(places.map((place) => new LocalNode(place, flags, guard)));
  }

  async start(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start()));
  }

  /** Ends all processes: gently, and those that do not end within `timeoutMs` by force. */
  async stop(timeoutMs = 25_000): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop(timeoutMs)));
  }

  node(id: string): LocalNode {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined) throw new Error(`there is no ${id}`);
    return found;
  }

  get running(): readonly LocalNode[] {
    return this.nodes.filter((node) => node.isRunning);
  }

  /** The node that says it leads, in the highest term if two do; null if none says so now. */
  async leader(): Promise<LocalNode | null> {
    const statuses = await Promise.all(
      this.running.map(async (node) => ({ node, status: await node.status() })),
    );
    const leaders = statuses
      .filter(({ status }) => status?.raft?.role === "leader")
      .sort((a, b) => (b.status?.raft?.term ?? 0) - (a.status?.raft?.term ?? 0));
    return leaders[0]?.node ?? null;
  }
}

/** Nothing else: the folder may be one that somebody uses for more. */
async function removeHomes(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const homes = (await readdir(directory)).filter((name) => /^node-\d+$/.test(name));
  for (const home of homes) await rm(join(directory, home), { recursive: true, force: true });
}

async function settingsOf(
  place: LocalNodePlace,
  places: readonly LocalNodePlace[],
  { settings = {}, peerAddressOf = ownAddress, otherMembers = [] }: LocalClusterOptions,
): Promise<Record<string, string>> {
  const { id, host, raftPort, rpcPort, metricsPort, p2pPort } = place;
  const peers = [...otherMembers];
  for (const other of places) {
    if (other.id !== id) peers.push(`${other.id}@${await peerAddressOf(place, other)}`);
  }
  return {
    ...defaultSettings,
    // They follow from the longest round trip where that is given.
    ...("raft.rtt_max" in settings ? {} : timeouts),
    "raft.node_id": id,
    "raft.raft_addr": `${host}:${raftPort}`,
    "raft.peers": peers.join(","),
    "rpc.address": `${host}:${rpcPort}`,
    "instrumentation.prometheus_listen_addr": `${host}:${metricsPort}`,
    "p2p.listen_address": `/ip4/${host}/tcp/${p2pPort}`,
    ...settings,
  };
}

async function ownAddress(_from: LocalNodePlace, { host, raftPort }: LocalNodePlace) {
  return `${host}:${raftPort}`;
}
