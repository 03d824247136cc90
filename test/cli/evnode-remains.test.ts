/** A home of ev-node's is not begun anew. */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { evnodeProblems } from "../../src/cli/evnode-remains.ts";
import { inspectConfig } from "../../src/config/load.ts";
import { temporaryDirectory } from "./evm.ts";

it.each<[what: string, files: string[], keys: string[]]>([
  ["nothing", [], []],
  ["ev-node's Raft log", ["raft/raft-log.db"], ["raft.raft_dir"]],
  ["its votes alone", ["raft/raft-stable.db"], ["raft.raft_dir"]],
  ["its blocks", ["data/evm-single/MANIFEST"], ["db_path"]],
  [
    "all of them",
    ["raft/raft-log.db", "raft/raft-stable.db", "data/testapp/MANIFEST"],
    ["raft.raft_dir", "db_path"],
  ],
  [
    "them beside ours, which were begun with care",
    ["raft/raft-log.db", "raft/raft.mdb", "data/evm-single/MANIFEST", "data/blocks.mdb"],
    [],
  ],
  ["ours alone", ["raft/raft.mdb", "data/blocks.mdb"], []],
])("where there is %s", (_what, files, keys) => {
  const { path: home, remove } = temporaryDirectory();
  onTestFinished(remove);
  const yaml = "node: { aggregator: true }\nraft: { enable: true, node_id: a, raft_dir: raft }\n";
  for (const [path, content] of [
    ["config/evnode.yaml", yaml],
    ...files.map((file) => [file, "x"]),
  ]) {
    mkdirSync(dirname(join(home, path ?? "")), { recursive: true });
    writeFileSync(join(home, path ?? ""), content ?? "");
  }
  const flags = { settings: [], problems: [] };
  const inspected = inspectConfig({ environment: {}, flags, home, workingDirectory: home });
  const problems = evnodeProblems(inspected);
  expect(problems.map(({ key }) => key)).toEqual(keys);
  for (const { severity, message } of problems) {
    expect(severity).toBe("error");
    expect(message).toMatch(/holds ev-node's .* \(.*\), which this program cannot read\. Move it/);
  }
});
