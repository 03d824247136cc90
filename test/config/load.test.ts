/** Loading: precedence, names, what follows from other settings, and files that are none. */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { readFlags } from "../../src/config/flag-source.ts";
import { loadConfig, resolveHome } from "../../src/config/load.ts";
import { ConfigError } from "../../src/config/problem.ts";
import { allKeys, type NamedKey } from "../../src/config/schema.ts";
import { type LoadInput, loadGood, loadText, problemLines } from "./load-text.ts";

const member = [
  "--evnode.node.aggregator",
  "--evnode.raft.enable",
  "--evnode.raft.node_id=a",
  "--evnode.raft.raft_addr=0.0.0.0:5001",
];

describe("precedence", () => {
  const yaml = "raft:\n  node_id: from-file\nnode:\n  block_time: 2s\n";
  const environment = { EVNODE_RAFT_NODE_ID: "from-environment" };
  const args = ["--evnode.raft.node_id=from-flag"];

  it.each<[string, LoadInput, string]>([
    ["the default is nothing", {}, ""],
    ["the file wins over the default", { yaml }, "from-file"],
    ["the environment wins over the file", { yaml, environment }, "from-environment"],
    ["a flag wins over all", { yaml, environment, args }, "from-flag"],
    [
      "an empty variable is not set",
      { yaml, environment: { EVNODE_RAFT_NODE_ID: "" } },
      "from-file",
    ],
    ["a key without a value keeps its default", { yaml: "raft:\n  node_id:\n" }, ""],
    ["the last flag wins", { args: [...args, "--evnode.raft.node_id=again"] }, "again"],
    ["dots may stand in a name", { yaml: "raft.node_id: dotted\n" }, "dotted"],
    ["a byte order mark does not count", { yaml: `\uFEFF${yaml}` }, "from-file"],
    ["nor do the line ends of Windows", { yaml: yaml.replaceAll("\n", "\r\n") }, "from-file"],
  ])("%s", (_, input, nodeId) => {
    expect(loadGood(input).config.raft.nodeId).toBe(nodeId);
  });

  it("one source does not hide another's other keys", () => {
    expect(loadGood({ yaml, args }).config.node.blockTimeMs).toBe(2000);
  });

  it("reads the variables of ev-node's container image", () => {
    const { config } = loadGood({ environment: { EVM_ENGINE_URL: "http://el:8551" } });
    expect(config.evm.engineUrl).toBe("http://el:8551");
    expect(config.execution.type).toBe("engine");
  });
});

describe("what follows from other settings", () => {
  const load = (...args: string[]) => loadGood({ args: [...member, ...args] }).config;

  it("raft.rtt_max sets the four timeouts", () => {
    expect(load("--evnode.raft.rtt_max=23ms").raft).toMatchObject({
      heartbeatTimeoutMs: 92,
      electionTimeoutMs: 368,
      leaderLeaseTimeoutMs: 46,
      sendTimeoutMs: 69,
    });
  });

  it("a timeout that is set wins over rtt_max, and others follow it", () => {
    const { raft } = load("--evnode.raft.rtt_max=25ms", "--evnode.raft.heartbeat_timeout=350ms");
    expect(raft).toMatchObject({
      heartbeatTimeoutMs: 350,
      electionTimeoutMs: 1400,
      leaderLeaseTimeoutMs: 175,
      sendTimeoutMs: 75,
    });
  });

  it.each([
    ["its own entry in the list", ["--evnode.raft.peers=a@h1:5001,b@h2:5001"], "h1:5001"],
    ["what is set", ["--evnode.raft.advertise_addr=h9:1"], "h9:1"],
    [
      "raft_addr, if that can be dialled",
      ["--evnode.raft.raft_addr=10.0.0.1:5001"],
      "10.0.0.1:5001",
    ],
    ["nothing known yet", [], null],
  ])("a member is reached at %s", (_, args, address) => {
    expect(load(...args).raft.advertiseAddr).toBe(address);
  });

  it("the list of peers holds the others, whether this member is in it or not (T9)", () => {
    const others = [
      { id: "b", address: "10.0.0.2:5001" },
      { id: "c", address: "10.0.0.3:5001" },
    ];
    const without = "b@10.0.0.2:5001,c@10.0.0.3:5001";
    for (const peers of [without, `a@10.0.0.1:5001,${without}`]) {
      expect(load(`--evnode.raft.peers=${peers}`).raft.peers).toEqual(others);
    }
  });

  it("execution is kv until an execution client is configured", () => {
    expect(load().execution.type).toBe("kv");
    expect(load("--evm.genesis-hash", "a".repeat(64)).execution.type).toBe("engine");
    expect(
      load("--evm.genesis-hash", "a".repeat(64), "--evnode.execution.type=kv").execution.type,
    ).toBe("kv");
  });

  it("metrics.enabled is instrumentation.prometheus (T8)", () => {
    const { config } = loadGood({ yaml: "metrics:\n  enabled: true\n" });
    expect(config.instrumentation.prometheus).toBe(true);
  });

  it("peers with a placeholder of the guide are left out", () => {
    const good = "/ip4/10.0.0.2/tcp/1/p2p/12D3KooW9ykrUYLiFDvbe1aUMpqMDEMEHzsJxzdBweBjM8om9wp6";
    const both = `${good}, /ip4/10.0.0.3/tcp/1/p2p/<PEER_ID>`;
    expect(load(`--evnode.p2p.peers=${both}`).p2p.peers).toEqual([good]);
    expect(load(`--evnode.p2p.allowed_peers=${both}`).p2p.allowedPeers).toEqual([good]);
    expect(load(`--evnode.p2p.blocked_peers=${both}`).p2p.blockedPeers).toEqual([good]);
  });
});

describe("paths", () => {
  it("are relative to the home directory in the file, to the working directory when typed", () => {
    const { home, ...outcome } = loadText({
      yaml: "db_path: blocks\nsigner:\n  signer_path: keys/signer.json\n",
      args: ["--evnode.raft.raft_dir=raft-here", "--evnode.log.file=~/node.log"],
    });
    const config = outcome.kind === "loaded" ? outcome.loaded.config : null;
    expect(config?.dbPath).toBe(join(home, "blocks"));
    expect(config?.signer.signerPath).toBe(join(home, "keys"));
    expect(config?.raft.raftDir).toBe("/where/i/stand/raft-here");
    expect(config?.log.file).toBe(join(homedir(), "node.log"));
  });

  it("the home directory is --home, then EVNODE_HOME, then ~/.evm", () => {
    const workingDirectory = "/w";
    const environment = { EVNODE_HOME: "from-environment" };
    expect(resolveHome({ home: "h", environment, workingDirectory })).toBe("/w/h");
    expect(resolveHome({ home: null, environment, workingDirectory })).toBe("/w/from-environment");
    const bare = resolveHome({ home: null, environment: {}, workingDirectory });
    expect(bare).toBe(join(homedir(), ".evm"));
  });

  it("an empty --home is an error, not the working directory", () => {
    expect(() => resolveHome({ home: "", environment: {}, workingDirectory: "/" })).toThrow(
      "root directory cannot be empty",
    );
  });
});

describe("a file that is no configuration", () => {
  it.each<[string, Uint8Array, string]>([
    ["bytes that are no text", Uint8Array.of(0xff, 0xfe, 0x20), "is not UTF-8 text"],
    ["a file of megabytes", new Uint8Array(1024 * 1024 + 1), "is no configuration"],
    ["zeros after a crash", new Uint8Array(4096), "holds zero bytes"],
  ])("%s", (_, yaml, words) => {
    const [line = "", ...more] = problemLines({ yaml });
    expect(line).toContain(words);
    expect(more).toEqual([]);
  });

  it("a directory of that name", () => {
    const home = mkdtempSync(join(tmpdir(), "evm-config-"));
    mkdirSync(join(home, "config", "evnode.yaml"), { recursive: true });
    const options = { home, flags: readFlags([]), environment: {}, workingDirectory: "/" };
    expect(() => loadConfig(options)).toThrow("evnode.yaml:1:1: is a directory");
    rmSync(home, { recursive: true });
  });

  it("a home below a file", () => {
    const home = join(import.meta.filename, "home");
    const options = { home, flags: readFlags([]), environment: {}, workingDirectory: "/" };
    expect(() => loadConfig(options)).toThrow("is no directory; give another --home");
  });

  it("a broken file does not hide what is wrong with flags", () => {
    const outcome = loadText({ yaml: "raft: [", args: ["--evnode.node.block_time=1"] });
    expect(outcome.kind === "refused" && outcome.problems.map(({ origin }) => origin.kind)).toEqual(
      ["file", "flag"],
    );
  });
});

describe("every key", () => {
  /** A value other than the default, by type. */
  const otherValue = (key: NamedKey): string => {
    const special: Readonly<Record<string, string>> = {
      "signer.signer_type": "file",
      "execution.type": "engine",
      "log.level": "debug",
      "log.format": "json",
      "node.aggregator": "true",
      "node.lazy_block_interval": "90s",
      "raft.election_timeout": "3s",
      "raft.peers": "b@h:1",
      "p2p.listen_address": "/ip4/127.0.0.1/tcp/1",
      "evm.eth_url": "http://el:1",
      "pruning.pruning_mode": "all",
      "evm.engine_url": "http://el:2",
      "evm.genesis_hash": "a".repeat(64),
      "evm.fee_recipient": "b".repeat(40),
    };
    if (special[key.name] !== undefined) return special[key.name] ?? "";
    if (key.name.startsWith("p2p."))
      return "/dns/h/tcp/1/p2p/12D3KooW9ykrUYLiFDvbe1aUMpqMDEMEHzsJxzdBweBjM8om9wp6";
    switch (key.type) {
      case "bool":
        return key.initial === "true" ? "false" : "true";
      case "duration":
        return "177ms";
      case "uint":
      case "int":
        return "77";
      case "size":
        return "2MiB";
      case "host:port":
        return "127.0.0.1:7";
      default:
        return "other";
    }
  };
  const used = allKeys.filter(({ use }) => use === "used");

  // ev-node once had keys that nothing read. signer_type has one value that works.
  it.each(
    used.filter(({ name }) => name !== "signer.signer_type").map((key) => [key.name, key] as const),
  )("%s changes the configuration", (name, key) => {
    const plain =
      name === "raft.enable" ? member.filter((flag) => !flag.includes("enable")) : member;
    const base = name.startsWith("raft.") ? plain : [];
    const before = JSON.stringify(withoutHome(base));
    const after = JSON.stringify(withoutHome([...base, `${key.flag}=${otherValue(key)}`]));
    expect(after).not.toBe(before);
  });

  function withoutHome(args: readonly string[]): unknown {
    const { home: _, dbPath, ...config } = loadGood({ args }).config;
    return [config.raft, config.signer, dbPath.split("/").at(-1), config].map((part) =>
      JSON.parse(JSON.stringify(part).replaceAll(/\/[^"]*evm-config-\w+/g, "HOME")),
    );
  }

  it("has a default that it accepts, and names that no other key has", () => {
    for (const key of allKeys)
      expect([key.name, key.parse(key.initial).ok]).toEqual([key.name, true]);
    for (const names of [
      allKeys.map(({ flag }) => flag),
      allKeys.map(({ variable }) => variable),
    ]) {
      expect(new Set(names).size).toBe(allKeys.length);
    }
  });
});

describe("secrets in a configuration", () => {
  it("are shown by no dump", () => {
    const args = ["--evnode.signer.passphrase=hunter2", "--evnode.rpc.admin_token=hunter2"];
    const { config } = loadGood({ args });
    expect(config.signer.passphrase?.reveal()).toBe("hunter2");
    expect(
      JSON.stringify(config) + inspect(config, { depth: 9 }) + config.rpc.adminToken,
    ).not.toContain("hunter2");
  });

  it("are shown by no error", () => {
    const outcome = loadText({
      args: ["--evnode.signer.passphrase=hunter2", "--evnode.node.block_time=1"],
    });
    const problems = outcome.kind === "refused" ? outcome.problems : [];
    expect(new ConfigError(problems).message).not.toContain("hunter2");
    expect(problems).toHaveLength(1);
  });
});
