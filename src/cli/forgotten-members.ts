/**
 * Refuses a configuration that has forgotten the cluster's members. An `evnode.yaml` that was cut off may be as good as any,
 * and so is a variable too many. Alone, with the shared key, a member would sign a second chain from here on; with some of the
 * others missing and its Raft log lost, it would ask too few what it has promised (P6).
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { LoadedConfig } from "../config/load.ts";
import { ConfigError, type Problem } from "../config/problem.ts";
import { readMemberRecord } from "../home/member-record.ts";
import { soloDirOf } from "../node/context.ts";
import { ownRaftFile } from "./evnode-remains.ts";

type Facts = Pick<LoadedConfig, "config" | "settings">;

/** Throws ConfigError. */
export function refuseForgottenMembers(loaded: Facts): void {
  const problem = forgottenMembersProblem(loaded);
  if (problem !== null) throw new ConfigError([problem]);
}

/** null if the configuration names whom this node needs to know, or if it never was a member. */
export function forgottenMembersProblem(facts: Facts): Problem | null {
  const { raft } = facts.config;
  const hasOthers = raft.enable && raft.peers.some(({ id }) => id !== raft.nodeId);
  return hasOthers ? missingProblem(facts) : aloneProblem(facts);
}

function aloneProblem(facts: Facts): Problem | null {
  const { raft } = facts.config;
  const remains = remainsOf(facts.config);
  if (remains === null) return null;
  const [key, finding, mend] = raft.enable
    ? ["raft.peers", "names no other member", "List all members again"]
    : ["raft.enable", "is false", "Set raft.enable: true again, and raft.peers"];
  const message =
    `${finding}, and ${remains.what}. Alone it would sign the heights that the others build as well. ${mend}; ` +
    "perhaps the file was cut off, or a variable or flag overrides it. If no other member will ever run again, " +
    `move ${remains.paths.join(" and ")} away, and this node goes on alone (docs/operations.md, "And back")`;
  return problemOf(facts, key, message);
}

/** A Raft log says by itself who the members are. */
function missingProblem(facts: Facts): Problem | null {
  const { config } = facts;
  const { raft } = config;
  if (existsSync(ownRaftLog(config))) return null;
  const record = readMemberRecord(config);
  const named = new Set([raft.nodeId, ...raft.peers.map(({ id }) => id)]);
  const missing = (record?.members ?? []).filter((id) => !named.has(id));
  if (record === null || missing.length === 0) return null;
  const message =
    `does not name ${missing.join(", ")}, of the members in ${record.paths.join(" and ")}, and raft_dir is empty. What this node ` +
    "promised before it lost that, only enough of all members know together. List all members again; perhaps the value was " +
    "cut off. If a cluster of other members goes on with these blocks, whose raft_dirs were all moved away, " +
    `move ${record.paths.join(" and ")} away as well`;
  return problemOf(facts, "raft.peers", message);
}

function problemOf({ settings }: Facts, key: string, message: string): Problem {
  const origin = settings.get(key)?.origin ?? { kind: "default" };
  return { severity: "error", origin, key, message };
}

interface Remains {
  readonly what: string;
  readonly paths: readonly string[];
}

function remainsOf(config: LoadedConfig["config"]): Remains | null {
  const record = readMemberRecord(config);
  // A cluster of one has nobody to disagree with.
  if (record?.members.length === 1) return null;
  const log = ownRaftLog(config);
  const hasLog = existsSync(log);
  // A cluster's log has no business beside a single sequencer; members were not always recorded.
  if (record === null && (config.raft.enable || !hasLog)) return null;
  // The log of a single sequencer that became a member was applied then, and is older than the blocks.
  const soloDir = soloDirOf(config);
  const paths = [
    ...(record?.paths ?? []),
    ...(hasLog ? [log] : []),
    ...(existsSync(soloDir) ? [soloDir] : []),
  ];
  return { what: whatRemains(record?.members ?? null, config, log), paths };
}

function whatRemains(
  members: readonly string[] | null,
  { home }: LoadedConfig["config"],
  log: string,
): string {
  if (members === null) return `${log} is the log of a member of a cluster`;
  const names = members.length === 0 ? "" : ` (${members.join(", ")})`;
  return `${home} is the home of a member of a cluster${names}`;
}

function ownRaftLog({ raft }: LoadedConfig["config"]): string {
  return join(raft.raftDir, ownRaftFile);
}
