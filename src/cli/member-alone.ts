/**
 * Refuses to make a single sequencer of a member of a cluster. An `evnode.yaml` that was cut between two lines is as
 * good as any, and so is a variable too many: alone, with the shared key, the member would sign a second chain from
 * here on.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { LoadedConfig } from "../config/load.ts";
import { ConfigError, type Problem } from "../config/problem.ts";
import { memberRecordPath, readMemberRecord } from "../home/member-record.ts";
import { ownRaftFile } from "./evnode-remains.ts";

type Facts = Pick<LoadedConfig, "config" | "settings">;

/** Throws ConfigError. */
export function refuseMemberAlone(loaded: Facts): void {
  const problem = memberAloneProblem(loaded);
  if (problem !== null) throw new ConfigError([problem]);
}

/** null if the node has other members beside it, or never had. */
export function memberAloneProblem({ config, settings }: Facts): Problem | null {
  const { dbPath, raft } = config;
  if (raft.enable && raft.peers.some(({ id }) => id !== raft.nodeId)) return null;
  const remains = remainsOf(dbPath, raft.enable ? null : raft.raftDir);
  if (remains === null) return null;
  const [key, finding, mend] = raft.enable
    ? ["raft.peers", "names no other member", "List all members again"]
    : ["raft.enable", "is false", "Set raft.enable: true again, and raft.peers"];
  const message =
    `${finding}, and ${remains.what}. Alone it would sign the heights that the others build as well. ${mend}; ` +
    "perhaps the file was cut off, or a variable or flag overrides it. If no other member will ever run again, " +
    `move ${remains.paths.join(" and ")} away, and this node goes on alone`;
  return {
    severity: "error",
    origin: settings.get(key)?.origin ?? { kind: "default" },
    key,
    message,
  };
}

interface Remains {
  readonly what: string;
  readonly paths: readonly string[];
}

/** `raftDir`: where a cluster's log has no business; null where it has. */
function remainsOf(dbPath: string, raftDir: string | null): Remains | null {
  const log = raftDir === null ? null : join(raftDir, ownRaftFile);
  const hasLog = log !== null && existsSync(log);
  const members = readMemberRecord(dbPath);
  // A cluster of one has nobody to disagree with.
  const isMember = members !== null && members.length !== 1;
  if (!isMember && !hasLog) return null;
  const names = members === null || members.length === 0 ? "" : ` (${members.join(", ")})`;
  const what = isMember
    ? `${dbPath} holds the blocks of a member of a cluster${names}`
    : `${log} is the log of a member of a cluster`;
  const paths = [...(isMember ? [memberRecordPath(dbPath)] : []), ...(hasLog ? [log] : [])];
  return { what, paths };
}
