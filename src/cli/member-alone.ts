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
import { soloDirOf } from "../node/context.ts";
import { ownRaftFile } from "./evnode-remains.ts";

type Facts = Pick<LoadedConfig, "config" | "settings">;

/** Throws ConfigError. */
export function refuseMemberAlone(loaded: Facts): void {
  const problem = memberAloneProblem(loaded);
  if (problem !== null) throw new ConfigError([problem]);
}

/** null if the node has other members beside it, or never had. */
export function memberAloneProblem({ config, settings }: Facts): Problem | null {
  const { raft } = config;
  if (raft.enable && raft.peers.some(({ id }) => id !== raft.nodeId)) return null;
  const remains = remainsOf(config);
  if (remains === null) return null;
  const [key, finding, mend] = raft.enable
    ? ["raft.peers", "names no other member", "List all members again"]
    : ["raft.enable", "is false", "Set raft.enable: true again, and raft.peers"];
  const message =
    `${finding}, and ${remains.what}. Alone it would sign the heights that the others build as well. ${mend}; ` +
    "perhaps the file was cut off, or a variable or flag overrides it. If no other member will ever run again, " +
    `move ${remains.paths.join(" and ")} away, and this node goes on alone (docs/operations.md, "And back")`;
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

function remainsOf({ dbPath, raft }: LoadedConfig["config"]): Remains | null {
  const members = readMemberRecord(dbPath);
  // A cluster of one has nobody to disagree with.
  if (members?.length === 1) return null;
  const log = join(raft.raftDir, ownRaftFile);
  const hasLog = existsSync(log);
  // A cluster's log has no business beside a single sequencer; members were not always recorded.
  if (members === null && (raft.enable || !hasLog)) return null;
  const names = members === null || members.length === 0 ? "" : ` (${members.join(", ")})`;
  const what =
    members === null
      ? `${log} is the log of a member of a cluster`
      : `${dbPath} holds the blocks of a member of a cluster${names}`;
  // The log of a single sequencer that became a member was applied then, and is older than the blocks.
  const soloDir = soloDirOf({ dbPath });
  const paths = [
    ...(members === null ? [] : [memberRecordPath(dbPath)]),
    ...(hasLog ? [log] : []),
    ...(existsSync(soloDir) ? [soloDir] : []),
  ];
  return { what, paths };
}
