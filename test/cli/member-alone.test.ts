/** A member of a cluster is not made a single sequencer by a file that was cut, or by a variable. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { memberAloneProblem } from "../../src/cli/member-alone.ts";
import { inspectConfig } from "../../src/config/load.ts";
import { memberRecordPaths, writeMemberRecord } from "../../src/home/member-record.ts";
import { temporaryDirectory } from "./evm.ts";

function temporaryHome(): string {
  const { path: home, remove } = temporaryDirectory();
  onTestFinished(remove);
  for (const directory of ["config", "data", "raft"]) mkdirSync(join(home, directory));
  return home;
}

function inspect(home: string, yaml: string, environment: Readonly<Record<string, string>> = {}) {
  writeFileSync(join(home, "config", "evnode.yaml"), yaml);
  const flags = { settings: [], problems: [] };
  return inspectConfig({ environment, flags, home, workingDirectory: home });
}

/** As a start of a node with the default places writes it. */
async function record(home: string, members: readonly string[]): Promise<void> {
  await writeMemberRecord({ home, dbPath: join(home, "data") }, members, (reason) => {
    throw new Error(reason);
  });
}

const member =
  "node: { aggregator: true }\n" +
  "raft: { enable: true, node_id: a, peers: 'a@10.0.0.1:1,b@10.0.0.2:1,c@10.0.0.3:1' }\n";
const alone = "node: { aggregator: true }\n";
const clusterOfOne = `${alone}raft: { enable: true, node_id: a }\n`;

it.each<
  [what: string, yaml: string, members: string[] | null, hasLog: boolean, key: string | null]
>([
  ["a member as it was", member, ["a", "b", "c"], true, null],
  ["a single sequencer", alone, null, false, null],
  ["a single sequencer that becomes a member", member, null, false, null],
  ["a cluster of one", clusterOfOne, ["a"], true, null],
  ["a cluster of one that becomes a single sequencer", alone, ["a"], true, null],
  [
    "a member with fewer others, who are asked all the same",
    member,
    ["a", "b", "c", "d"],
    false,
    null,
  ],
  ["a member without its raft section", alone, ["a", "b", "c"], false, "raft.enable"],
  ["the same from before members were recorded", alone, null, true, "raft.enable"],
  ["a member without its peers", clusterOfOne, ["a", "b", "c"], false, "raft.peers"],
  ["the same with its log", clusterOfOne, ["a", "b", "c"], true, "raft.peers"],
])("%s", async (_what, yaml, members, hasLog, key) => {
  const home = temporaryHome();
  if (members !== null) await record(home, members);
  if (hasLog) writeFileSync(join(home, "raft", "raft.mdb"), "");
  const problem = memberAloneProblem(inspect(home, yaml));
  expect(problem?.key ?? null).toBe(key);
  if (problem === null) return;
  expect(problem.severity).toBe("error");
  expect(problem.message).toMatch(/Alone it would sign the heights that the others build as well/);
  const moved = [
    ...(members === null ? [] : ["data/member.json", "config/member.json"]),
    ...(hasLog ? ["raft/raft.mdb"] : []),
  ];
  const paths = moved.map((path) => join(home, path)).join(" and ");
  expect(problem.message).toContain(`move ${paths} away`);
});

it("names the log of the single sequencer that the member was once", async () => {
  const home = temporaryHome();
  await record(home, ["a", "b", "c"]);
  mkdirSync(join(home, "data", "solo-raft"));
  const message = memberAloneProblem(inspect(home, alone))?.message;
  expect(message).toContain(
    `${join(home, "config", "member.json")} and ${join(home, "data", "solo-raft")}`,
  );
});

it("sees a variable that makes a member a single sequencer", async () => {
  const home = temporaryHome();
  await record(home, ["a", "b", "c"]);
  const inspected = inspect(home, member, { EVNODE_RAFT_ENABLE: "false" });
  expect(memberAloneProblem(inspected)?.origin).toMatchObject({
    variable: "EVNODE_RAFT_ENABLE",
  });
});

it("refuses a record that it cannot read", () => {
  const home = temporaryHome();
  for (const path of memberRecordPaths({ home, dbPath: join(home, "data") })) {
    writeFileSync(path, "{");
    expect(memberAloneProblem(inspect(home, alone))?.key).toBe("raft.enable");
    rmSync(path);
    expect(memberAloneProblem(inspect(home, alone))).toBeNull();
  }
});

it("finds the record beside the configuration where the key that says where the blocks are is lost, too", async () => {
  const home = temporaryHome();
  const places = { home, dbPath: join(home, "disk", "blocks") };
  await writeMemberRecord(places, ["a", "b", "c"], (reason) => expect.fail(reason));
  const path = join(home, "config", "member.json");
  expect(memberAloneProblem(inspect(home, alone))?.message).toContain(`move ${path} away`);
});

it("records the members beside the blocks where the configuration may not be written", async () => {
  const home = temporaryHome();
  const places = { home, dbPath: join(home, "data") };
  const [besideBlocks, besideConfig] = memberRecordPaths(places);
  const reasons: string[] = [];
  // A directory that nobody may write to, root no more than others.
  rmSync(join(home, "config"), { recursive: true });
  writeFileSync(join(home, "config"), "");
  await writeMemberRecord(places, ["b", "a"], (reason) => reasons.push(reason));
  expect(reasons).toEqual([expect.stringContaining(besideConfig)]);
  expect(JSON.parse(readFileSync(besideBlocks, "utf8"))).toEqual({ members: ["a", "b"] });
});

/** Wherever the tutorial's file is cut: it is refused, or says the same of the cluster. */
it("starts with no part of a file that would make it one", async () => {
  const home = temporaryHome();
  const whole = readFileSync(
    join(import.meta.dirname, "..", "..", "config", "evnode-tutorial-node-1.yaml"),
    "utf8",
  ).replace(/^ {2}raft_dir:.*\n/m, "");
  const { peers } = inspect(home, whole).config.raft;
  await record(home, ["node-1", ...peers.map(({ id }) => id)]);
  const lines = whole.split(/(?<=\n)/);
  const taken: number[] = [];
  for (let count = 0; count <= lines.length; count++) {
    const inspected = inspect(home, lines.slice(0, count).join(""));
    const { node, raft } = inspected.config;
    const problems = [memberAloneProblem(inspected), ...inspected.problems];
    const isRefused = !node.aggregator || problems.some((problem) => problem?.severity === "error");
    if (isRefused) continue;
    taken.push(count);
    expect(raft).toMatchObject({ enable: true, nodeId: "node-1", peers });
  }
  // From the peers on it is whole enough.
  expect(taken.length).toBeGreaterThan(0);
  expect(taken.length).toBeLessThan(lines.length);
});
