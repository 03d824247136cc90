/** What every part of a node is wired with: who it is, where it keeps things, and whom it tells. */

import { join } from "node:path";
import { toHex } from "../base/bytes.ts";
import { sha256 } from "../block/hash.ts";
import type { NodeConfig } from "../config/schema.ts";
import type { GenesisParameters } from "../execution/executor.ts";
import type { RootLogger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Narrator } from "../observability/narrate.ts";
import type { NodeFacts } from "./node-view.ts";
import type { Home } from "./open-home.ts";

export interface NodeOptions {
  readonly config: NodeConfig;
  readonly home: Home;
  readonly version: string;
  /** null: admin paths answer loopback only. */
  readonly adminToken: string | null;
  /** Of the Engine API, in hexadecimal; null for the embedded executor. */
  readonly jwtSecret: string | null;
}

export interface NodeContext {
  readonly options: NodeOptions;
  readonly nodeId: string;
  readonly raftDir: string;
  readonly genesis: GenesisParameters;
  /** All members by node_id; this one's address is what the configuration says of it. */
  readonly addresses: ReadonlyMap<string, string>;
  readonly log: RootLogger;
  readonly metrics: Metrics;
  readonly narrator: Narrator;
  /** The node cannot go on. */
  readonly fail: (error: Error) => void;
}

/** A single sequencer's one-member log; a cluster's is in `raft.raft_dir`. */
const soloDirectory = "solo-raft";
const soloNodeId = "sequencer";

export function nodeIdOf({ raft }: NodeConfig): string {
  return raft.nodeId || soloNodeId;
}

export function raftDirOf(config: NodeConfig): string {
  return config.raft.enable ? config.raft.raftDir : soloDirOf(config);
}

export function soloDirOf({ dbPath }: Pick<NodeConfig, "dbPath">): string {
  return join(dbPath, soloDirectory);
}

export function genesisOf({ genesis }: Home): GenesisParameters {
  const { chainId, initialHeight, startTimeNs: genesisTimeNs } = genesis;
  return { chainId, initialHeight, genesisTimeNs };
}

/** SHA-256 of what all members must agree on in genesis.json; its other values may differ. */
export function chainHashOf({
  options,
  genesis,
}: Pick<NodeContext, "options" | "genesis">): Uint8Array {
  const { chainId, initialHeight, genesisTimeNs } = genesis;
  const proposer = toHex(options.home.genesis.proposerAddress);
  const facts = JSON.stringify([chainId, initialHeight, String(genesisTimeNs), proposer]);
  return sha256(new TextEncoder().encode(facts));
}

export function addressesOf(config: NodeConfig): ReadonlyMap<string, string> {
  const { raft } = config;
  const own = [nodeIdOf(config), raft.advertiseAddr ?? raft.raftAddr] as const;
  if (!raft.enable) return new Map([own]);
  return new Map([own, ...raft.peers.map(({ id, address }) => [id, address] as const)]);
}

export function factsOf({ options, nodeId, addresses }: NodeContext): NodeFacts {
  const { config, home, version } = options;
  return { nodeId, version, config, home, addresses };
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
