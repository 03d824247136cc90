import { describe, expect, it } from "vitest";
import { readFlags } from "../../src/config/flag-source.ts";
import { overridesFrom, printConfig } from "../../src/config/print.ts";
import { allKeys } from "../../src/config/schema.ts";
import { loadGood } from "./load-text.ts";

const withoutHome = (text: string) => text.replaceAll(/\/[^"]*evm-config-\w+/g, "HOME");

describe("printConfig", () => {
  it("loads back to the defaults", () => {
    const printed = loadGood({ yaml: printConfig() });
    expect(withoutHome(JSON.stringify(printed.config))).toBe(
      withoutHome(JSON.stringify(loadGood({}).config)),
    );
    expect(printed.warnings).toEqual([]);
  });

  it("loads back with every commented line uncommented, too", () => {
    // What an operator may do line by line must work for each of them.
    const yaml = printConfig().replaceAll(
      /^( *)# ([\w.]+: )/gm,
      (line, indent: string, key: string) => (isKey(key) ? indent + key : line),
    );
    const args = ["--evnode.node.aggregator=true"];
    const { config } = loadGood({ yaml, args });
    expect(config.raft.rttMaxMs).toBe(25);
    expect(config.raft.heartbeatTimeoutMs).toBe(350);
    expect(config.raft.nodeId).toBe("node-1");
  });

  function isKey(text: string): boolean {
    return allKeys.some(({ shortName }) => text === `${shortName}: `);
  }

  it.each(allKeys.map((key) => [key.name, key] as const))("shows %s", (_, key) => {
    const text = printConfig();
    expect(text).toContain(`${key.shortName}: `.replace("passphrase: ", "passphrase"));
    expect(text).toContain(key.isFlagOnly ? key.flag : key.variable);
    expect(text).toContain(key.type);
  });

  it("keeps its lines short enough to read", () => {
    const longest = Math.max(
      ...printConfig()
        .split("\n")
        .map((line) => line.length),
    );
    expect(longest).toBeLessThanOrEqual(110);
  });

  it("holds the values of a command line, without secrets and with absolute paths", () => {
    const { settings } = readFlags([
      "--evnode.raft.node_id=node-1",
      "--evnode.raft.peers",
      "node-2@10.0.0.2:5001, node-3@10.0.0.3:5001",
      "--evnode.raft.raft_dir=raft",
      "--evnode.node.light=false",
      "--evnode.signer.passphrase=hunter2",
      "--evm.jwt-secret=hunter2",
    ]);
    const yaml = printConfig(overridesFrom(settings, "/srv"));
    expect(yaml).not.toContain("hunter2");
    const { raft } = loadGood({ yaml }).config;
    expect(raft.nodeId).toBe("node-1");
    expect(raft.raftDir).toBe("/srv/raft");
    expect(raft.peers).toHaveLength(2);
  });
});
