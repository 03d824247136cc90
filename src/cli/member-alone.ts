/**
 * Refuses to make a single sequencer of a member of a cluster. An `evnode.yaml` that was cut between two lines is as
 * good as any, and so is a variable too many: alone, with the shared key, the member would sign a second chain from
 * here on.
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
export function refuseMemberAlone(loaded: Facts): void {
  const problem = memberAloneProblem(loaded);
  if (problem !== null) throw new ConfigError([problem]);
}

/** null if the node has other members beside it, or never had. */
export function memberAloneProblem(facts: Facts): Problem | null {
  const { raft } = facts.config;
  if (raft.enable && raft.peers.some(({ id }) => id !== raft.nodeId)) return null;
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
