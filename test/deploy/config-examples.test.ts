/** The example configurations are loaded as an operator's would be, once the peer ids are filled in. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readFlags } from "../../src/config/flag-source.ts";
import { loadConfig } from "../../src/config/load.ts";
import { repository } from "./repository.ts";

const peerId = "12D3KooWBhUE9PEdvJ3mXrRWqvXhFnBTxKzeRWGXPKoqWTgTHMBD";
const examples = [
  "evnode-single.yaml",
  "evnode-tutorial-node-1.yaml",
  "evnode-lan.yaml",
  "evnode-cross-region.yaml",
];

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "config-"));
  mkdirSync(join(home, "config"));
});

afterEach(() => rmSync(home, { recursive: true }));

const load = () =>
  loadConfig({ home, flags: readFlags([]), environment: {}, workingDirectory: home });

function loadFilledIn(example: string) {
  const yaml = readFileSync(repository(`config/${example}`), "utf8");
  const filled = yaml.replaceAll(/<peer-id-[^>]+>/g, peerId);
  writeFileSync(join(home, "config/evnode.yaml"), filled, { mode: 0o600 });
  return load();
}

describe("example configurations", () => {
  it.each(examples)("%s loads, with nothing to warn of", (example) => {
    expect(loadFilledIn(example).warnings).toEqual([]);
  });

  it.each(examples.slice(1))("%s as it is warns of the peer ids that are missing", (example) => {
    copyFileSync(repository(`config/${example}`), join(home, "config/evnode.yaml"));
    const messages = load().warnings.map(({ message }) => message);
    expect(messages).not.toEqual([]);
    for (const message of messages) expect(message).toMatch(/placeholder/);
  });

  it("the tutorial's has the tutorial's values", () => {
    const { raft, node, p2p } = loadFilledIn("evnode-tutorial-node-1.yaml").config;
    expect(node).toMatchObject({ aggregator: true, blockTimeMs: 1000 });
    expect(p2p.listenAddress).toBe("/ip4/0.0.0.0/tcp/26656");
    expect(raft).toMatchObject({
      enable: true,
      nodeId: "node-1",
      raftDir: "/var/lib/ev-sequencer/raft",
      heartbeatTimeoutMs: 92,
      electionTimeoutMs: 368,
      leaderLeaseTimeoutMs: 46,
      sendTimeoutMs: 50,
      trailingLogs: 18_000,
      snapshotThreshold: 5000,
      snapCount: 3,
    });
    expect(raft.peers.map((peer) => peer.id)).toEqual(["node-2", "node-3", "node-4", "node-5"]);
  });

  it("the single sequencer's names a section of the operations page that is there", () => {
    const yaml = readFileSync(repository("config/evnode-single.yaml"), "utf8");
    const [, section] = /docs\/operations\.md, "([^"]+)"/.exec(yaml) ?? [];
    const headings = readFileSync(repository("docs/operations.md"), "utf8").match(/^## .*$/gm);
    expect(headings).toContain(`## ${section}`);
  });

  it("the LAN's timeouts are what its comment says", () => {
    expect(loadFilledIn("evnode-lan.yaml").config.raft).toMatchObject({
      heartbeatTimeoutMs: 40,
      electionTimeoutMs: 160,
      leaderLeaseTimeoutMs: 20,
      sendTimeoutMs: 30,
    });
  });
});
