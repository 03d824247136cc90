/** Every setting there is, and the type of a loaded configuration, which follows from the table. */

import type { Key, Unit, Use } from "./key.ts";
import { daKeys } from "./keys/da.ts";
import { evmKeys, executionKeys, storageKeys } from "./keys/execution.ts";
import { p2pKeys, rpcKeys } from "./keys/network.ts";
import {
  baseKeys,
  instrumentationKeys,
  logKeys,
  nodeKeys,
  pruningKeys,
  signerKeys,
} from "./keys/node.ts";
import { clusterKeys, raftKeys } from "./keys/raft.ts";

/** In the order of `evm config default`. Keys of the section "" stand at the top of the file. */
export const sections = {
  "": baseKeys,
  node: nodeKeys,
  raft: raftKeys,
  cluster: clusterKeys,
  signer: signerKeys,
  execution: executionKeys,
  evm: evmKeys,
  rpc: rpcKeys,
  p2p: p2pKeys,
  storage: storageKeys,
  log: logKeys,
  instrumentation: instrumentationKeys,
  pruning: pruningKeys,
  da: daKeys,
};

export type SectionName = keyof typeof sections;

export const sectionComments: Readonly<Record<SectionName, string>> = {
  "": "",
  node: "What this node does.",
  raft: "The cluster that agrees on the blocks. Timeouts follow the longest round trip between members.",
  cluster: "How patient a transaction is with the cluster.",
  signer: "The key that signs blocks, the same on every member.",
  execution: "Who executes blocks.",
  evm: "The Ethereum execution client, for execution.type: engine.",
  rpc: "HTTP.",
  p2p: "libp2p: blocks older than the log are fetched from other nodes.",
  storage: "The databases under raft_dir and db_path.",
  log: "Logging.",
  instrumentation: "Metrics.",
  pruning: "Removal of old blocks. The file does not shrink; new blocks take the room.",
  da: "ev-node's data availability layer. Not implemented: blocks are not posted to a DA layer.",
};

type Camel<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name;

/** `heartbeat_timeout` is `heartbeatTimeoutMs`: camel case, and a unit unless the name ends in it. */
type FieldName<Name extends string, U extends Unit> =
  Camel<Name> extends `${string}${U}` ? Camel<Name> : `${Camel<Name>}${U}`;

/** A section as the rest of the program reads it: only the keys that do something. */
export type SectionConfig<Section> = {
  readonly [Name in keyof Section & string as Section[Name] extends Key<unknown, infer U, "used">
    ? FieldName<Name, U>
    : never]: Section[Name] extends Key<infer Value, Unit, Use> ? Value : never;
};

/** What a node runs with: checked, complete, paths absolute, durations in milliseconds, sizes in bytes. */
export interface NodeConfig {
  readonly home: string;
  /** Absolute directory of the block database. */
  readonly dbPath: string;
  readonly node: SectionConfig<typeof nodeKeys>;
  /** `peers` never holds this node itself; timeouts derived from `raft.rtt_max` are filled in. */
  readonly raft: SectionConfig<typeof raftKeys>;
  readonly cluster: SectionConfig<typeof clusterKeys>;
  readonly signer: SectionConfig<typeof signerKeys>;
  readonly execution: SectionConfig<typeof executionKeys> & { readonly type: "kv" | "engine" };
  readonly evm: SectionConfig<typeof evmKeys>;
  readonly rpc: SectionConfig<typeof rpcKeys>;
  readonly p2p: SectionConfig<typeof p2pKeys>;
  readonly storage: SectionConfig<typeof storageKeys>;
  readonly log: SectionConfig<typeof logKeys>;
  readonly instrumentation: SectionConfig<typeof instrumentationKeys>;
  readonly pruning: SectionConfig<typeof pruningKeys>;
}

/** A key with all its names. */
export interface NamedKey extends Key {
  readonly section: SectionName;
  /** Within its section: `heartbeat_timeout`. */
  readonly shortName: string;
  /** `raft.heartbeat_timeout`. */
  readonly name: string;
  /** `--evnode.raft.heartbeat_timeout`. */
  readonly flag: string;
  /** `EVNODE_RAFT_HEARTBEAT_TIMEOUT`. */
  readonly variable: string;
}

export const allKeys: readonly NamedKey[] = sectionNames().flatMap((section) =>
  Object.entries<Key>(sections[section]).map(([shortName, key]) => {
    const name = section === "" ? shortName : `${section}.${shortName}`;
    return { ...key, section, shortName, name, flag: flagOf(name), variable: variableOf(name) };
  }),
);

const keysByName: ReadonlyMap<string, NamedKey> = new Map(
  allKeys.flatMap((key) => [key.name, ...key.aliases].map((name) => [name, key])),
);

/** The key of that name or alias; case and the choice of `-` or `_` do not matter. */
export function findKey(name: string): NamedKey | null {
  return keysByName.get(name.toLowerCase().replaceAll("-", "_")) ?? null;
}

/** Whether keys begin with this name and a dot: `raft`, and also `signer.kms`. */
export function isKeyPrefix(name: string): boolean {
  return keyPrefixes.has(name.toLowerCase().replaceAll("-", "_"));
}

const keyPrefixes: ReadonlySet<string> = new Set(
  [...keysByName.keys()].flatMap((name) => {
    const words = name.split(".");
    return words.slice(1).map((_, at) => words.slice(0, at + 1).join("."));
  }),
);

export function sectionNames(): readonly SectionName[] {
  return Object.keys(sections).filter(isSectionName);
}

export function isSectionName(name: string): name is SectionName {
  return Object.hasOwn(sections, name);
}

/** ev-node has its own keys under `--evnode.` and those of its EVM application as they are. */
export function flagOf(name: string): string {
  if (name.startsWith("evm.")) return `--${name.replaceAll("_", "-")}`;
  if (name === "force_inclusion_server") return "--force-inclusion-server";
  return `--evnode.${name}`;
}

export function variableOf(name: string): string {
  return `EVNODE_${name.toUpperCase().replace(/[.-]/g, "_")}`;
}

/** The name of a key's field in {@link NodeConfig}. */
export function fieldNameOf({ shortName, unit }: NamedKey): string {
  const camel = shortName.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return camel.endsWith(unit) ? camel : camel + unit;
}
