/**
 * Refuses directories that ev-node has used and this program has not. It cannot read what is in them, so it would
 * begin as if the chain had no blocks: with all members alike, a second chain at height 1, signed by the same key.
 */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { LoadedConfig } from "../config/load.ts";
import { ConfigError, type Origin, type Problem } from "../config/problem.ts";

type Facts = Pick<LoadedConfig, "config" | "settings">;

/** Of hashicorp/raft with BoltDB, as ev-node wires it. */
const raftFiles = ["raft-log.db", "raft-stable.db"];
export const ownRaftFile = "raft.mdb";
/** Of a Badger database, which ev-node has in a folder below `db_path`. */
const blockFile = "MANIFEST";

const remedy =
  "Move it to another place, on one member at a time, while the others run and hold the chain: docs/migration.md";

/** Throws ConfigError. */
export function refuseEvnodeRemains(loaded: Facts): void {
  const problems = evnodeProblems(loaded);
  if (problems.length > 0) throw new ConfigError(problems);
}

export function evnodeProblems({ config, settings }: Facts): readonly Problem[] {
  const originOf = (key: string): Origin => settings.get(key)?.origin ?? { kind: "default" };
  const { dbPath, raft } = config;
  const problems: Problem[] = [];
  const log = raftFiles.map((name) => join(raft.raftDir, name)).find((path) => existsSync(path));
  if (raft.enable && log !== undefined && !existsSync(join(raft.raftDir, ownRaftFile))) {
    const message = `holds ev-node's Raft log (${log}), which this program cannot read. ${remedy}`;
    problems.push({
      severity: "error",
      origin: originOf("raft.raft_dir"),
      key: "raft.raft_dir",
      message,
    });
  }
  const blocks = badgerBelow(dbPath);
  if (blocks !== null && !existsSync(join(dbPath, "blocks.mdb"))) {
    const message = `holds ev-node's blocks (${blocks}), which this program cannot read. ${remedy}`;
    problems.push({ severity: "error", origin: originOf("db_path"), key: "db_path", message });
  }
  return problems;
}

/** null also where there is no telling: whoever opens the directory says what is wrong with it. */
function badgerBelow(directory: string): string | null {
  try {
    const folders = readdirSync(directory).map((name) => join(directory, name));
    return folders.find((folder) => existsSync(join(folder, blockFile))) ?? null;
  } catch {
    return null;
  }
}
