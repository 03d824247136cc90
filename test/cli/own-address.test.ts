/** A configuration that was copied from another member, by the addresses that this machine has. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { addressProblem } from "../../src/cli/own-address.ts";
import { inspectConfig } from "../../src/config/load.ts";
import { temporaryDirectory } from "./evm.ts";

const byAddress = "a@10.0.0.1:1,b@10.0.0.2:1,c@10.0.0.3:1";
const onLoopback = "a@127.0.0.1:1,b@127.0.0.1:2,c@127.0.0.1:3";

it.each<[what: string, raft: string, local: string[], other: string | null]>([
  ["the machine of its member", `peers: '${byAddress}'`, ["127.0.0.1", "10.0.0.1"], null],
  ["another member's machine", `peers: '${byAddress}'`, ["127.0.0.1", "10.0.0.2"], "b"],
  ["a machine with the addresses of both", `peers: '${byAddress}'`, ["10.0.0.1", "10.0.0.2"], null],
  ["a machine behind NAT", `peers: '${byAddress}'`, ["192.168.1.7"], null],
  ["members on one machine", `peers: '${onLoopback}'`, ["127.0.0.1"], null],
  ["members with names", "peers: 'a@one:1,b@two:1,c@10.0.0.3:1'", ["10.0.0.3"], null],
  [
    "an advertised address that is another's",
    "advertise_addr: '10.0.0.1:1', peers: 'b@10.0.0.2:1,c@10.0.0.3:1'",
    ["10.0.0.3"],
    "c",
  ],
])("%s", (_what, raft, local, other) => {
  const { path: home, remove } = temporaryDirectory();
  onTestFinished(remove);
  mkdirSync(join(home, "config"));
  const yaml = `node: { aggregator: true }\nraft: { enable: true, node_id: a, raft_addr: '0.0.0.0:1', ${raft} }\n`;
  writeFileSync(join(home, "config", "evnode.yaml"), yaml);
  const flags = { settings: [], problems: [] };
  const inspected = inspectConfig({ environment: {}, flags, home, workingDirectory: home });
  const problem = addressProblem(inspected, new Set(local));
  if (other === null) expect(problem).toBeNull();
  else {
    expect(problem).toMatchObject({ severity: "warning", key: "raft.node_id" });
    expect(problem?.message).toContain(`write node_id: "${other}"`);
    expect(problem?.origin).toMatchObject({ kind: "file", line: 2 });
  }
});
