/** From checked values to `NodeConfig`: names, absolute paths, and what follows from other settings. */

import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { assert } from "../base/assert.ts";
import { isWildcardHost, parseMultiaddr, parseSocketAddress } from "./address.ts";
import type { Key } from "./key.ts";
import { raftKeys } from "./keys/raft.ts";
import {
  allKeys,
  fieldNameOf,
  type NamedKey,
  type NodeConfig,
  type SectionName,
  sectionNames,
} from "./schema.ts";

/** hashicorp/raft's defaults, which ev-node's files ask for by 0. */
const libraryDefaults = { electionTimeoutMs: 1000, snapshotThreshold: 8192, trailingLogs: 10240 };

export interface BuildInput {
  readonly home: string;
  /** Every key's value, paths already absolute. */
  readonly valueFor: (key: NamedKey) => unknown;
  /** Whether anything but the default gave this key its value. */
  readonly isSet: (name: string) => boolean;
}

export function buildConfig(input: BuildInput): NodeConfig {
  const stated = assemble(input);
  return {
    ...stated,
    raft: resolveRaft(stated.raft, input.isSet),
    execution: { ...stated.execution, type: stated.execution.type ?? impliedExecution(input) },
    p2p: {
      ...stated.p2p,
      peers: stated.p2p.peers.filter(namesPeer),
      allowedPeers: stated.p2p.allowedPeers.filter(namesPeer),
      blockedPeers: stated.p2p.blockedPeers.filter(namesPeer),
    },
  };
}

/** Before anything is derived `execution.type` may be unset. */
type Stated = Omit<NodeConfig, "execution"> & {
  readonly execution: Omit<NodeConfig["execution"], "type"> & {
    readonly type: NodeConfig["execution"]["type"] | null;
  };
};

function assemble({ home, valueFor }: BuildInput): Stated {
  const fieldsOf = (section: SectionName) =>
    Object.fromEntries(
      allKeys
        .filter((key) => key.section === section && key.use === "used")
        .map((key) => [fieldNameOf(key), valueFor(key)]),
    );
  const sections = Object.fromEntries(
    sectionNames()
      .filter((name) => name !== "")
      .map((name) => [name, fieldsOf(name)]),
  );
  // The one unchecked step: `SectionConfig` computes these very names and types from the same table.
  return { home, ...fieldsOf(""), ...sections } as unknown as Stated;
}

/** Any setting of the execution client implies that there is one. */
function impliedExecution({ isSet }: BuildInput): "kv" | "engine" {
  const isAnySet = allKeys.some(({ section, name }) => section === "evm" && isSet(name));
  return isAnySet ? "engine" : "kv";
}

function resolveRaft(
  raft: NodeConfig["raft"],
  isSet: (name: string) => boolean,
): NodeConfig["raft"] {
  const timed = { ...raft, ...(raft.enable ? timeoutsFromRtt(raft, isSet) : soloTimeouts()) };
  return {
    ...timed,
    peers: raft.peers.filter(({ id }) => id !== raft.nodeId),
    advertiseAddr: advertisedAddress(raft),
    electionTimeoutMs: timed.electionTimeoutMs || libraryDefaults.electionTimeoutMs,
    snapshotThreshold: raft.snapshotThreshold || libraryDefaults.snapshotThreshold,
    trailingLogs: raft.trailingLogs || libraryDefaults.trailingLogs,
  };
}

/** A single sequencer's log has timeouts, too, and waits for nobody: the file's are neither checked nor used. */
function soloTimeouts(): Partial<NodeConfig["raft"]> {
  return {
    heartbeatTimeoutMs: initialOf(raftKeys.heartbeat_timeout),
    electionTimeoutMs: initialOf(raftKeys.election_timeout),
    leaderLeaseTimeoutMs: initialOf(raftKeys.leader_lease_timeout),
    sendTimeoutMs: initialOf(raftKeys.send_timeout),
  };
}

function initialOf({ parse, initial }: Pick<Key<number>, "parse" | "initial">): number {
  const parsed = parse(initial);
  assert(parsed.ok, "a default can be read", { initial });
  return parsed.value;
}

/** The four timeouts that follow from the longest round trip; one that is set itself wins. */
function timeoutsFromRtt(
  raft: NodeConfig["raft"],
  isSet: (name: string) => boolean,
): Partial<NodeConfig["raft"]> {
  if (raft.rttMaxMs === null) return {};
  const pick = (name: string, stated: number, derived: number) => (isSet(name) ? stated : derived);
  const heartbeatTimeoutMs = pick(
    "raft.heartbeat_timeout",
    raft.heartbeatTimeoutMs,
    4 * raft.rttMaxMs,
  );
  return {
    heartbeatTimeoutMs,
    electionTimeoutMs: pick(
      "raft.election_timeout",
      raft.electionTimeoutMs,
      4 * heartbeatTimeoutMs,
    ),
    leaderLeaseTimeoutMs: pick(
      "raft.leader_lease_timeout",
      raft.leaderLeaseTimeoutMs,
      heartbeatTimeoutMs / 2,
    ),
    sendTimeoutMs: pick("raft.send_timeout", raft.sendTimeoutMs, 3 * raft.rttMaxMs),
  };
}

/** Where peers reach this node; null if only the first connection to a peer can tell. */
function advertisedAddress(raft: NodeConfig["raft"]): string | null {
  if (raft.advertiseAddr !== null) return raft.advertiseAddr;
  const own = raft.peers.find(({ id }) => id === raft.nodeId);
  if (own !== undefined) return own.address;
  const bound = parseSocketAddress(raft.raftAddr);
  return bound.ok && !isWildcardHost(bound.value.host) ? raft.raftAddr : null;
}

/** False of an entry that holds a placeholder of the guide still: it is left out, and the rules warn of it. */
function namesPeer(peer: string): boolean {
  return parseMultiaddr(peer, { peerId: "required" }).ok;
}

/** `~` is the user's home directory even where no shell has replaced it. */
export function absolutePath(text: string, base: string): string {
  if (text === "~" || text.startsWith("~/")) return join(homedir(), text.slice(1));
  return resolve(base, text);
}
