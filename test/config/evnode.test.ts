/** What ev-node's own tests expect, and the files that its guide has operators write. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { formatDuration } from "../../src/config/duration.ts";
import { readFlags } from "../../src/config/flag-source.ts";
import { parsePeer } from "../../src/config/peers.ts";
import { findKey } from "../../src/config/schema.ts";
import { loadGood, loadText } from "./load-text.ts";

const values = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

const vectors = z
  .array(z.object({ name: z.string(), input: z.unknown(), expected: z.unknown() }))
  .parse(
    JSON.parse(readFileSync(join(import.meta.dirname, "vectors", "evnode-config.json"), "utf8")),
  );

function vectorsOf(prefix: string) {
  return vectors
    .filter(({ name }) => name.startsWith(prefix))
    .map((vector) => [vector.name, vector] as const);
}

/** All errors of a configuration in one text; empty if it is good. */
function errorsOf(args: readonly string[]): string {
  const outcome = loadText({ args });
  return outcome.kind === "loaded" ? "" : outcome.problems.map(({ message }) => message).join("\n");
}

const expectedError = z.object({ error: z.string() });

describe("vectors of ev-node", () => {
  it.each(vectorsOf("RaftConfig.Validate/"))("%s", (_, { input, expected }) => {
    const given = Object.entries(values.parse(input));
    const args = given.map(([key, value]) => `--evnode.raft.${key}=${value}`);
    expectErrors(errorsOf(["--evnode.node.aggregator", ...args]), expected);
  });

  const withoutKms = vectorsOf("Config.Validate/").filter(([name]) => !name.includes("kms"));
  it.each(withoutKms)("%s", (_, { input, expected }) => {
    const given = Object.entries(values.parse(input));
    // As in a file: on the command line two of these exclude each other before they are validated.
    const yaml = given.map(([key, value]) => `${key}: ${value}\n`).join("");
    const outcome = loadText({ yaml });
    const problems = outcome.kind === "refused" ? outcome.problems : [];
    expectErrors(problems.map(({ message }) => message).join("\n"), expected);
  });

  function expectErrors(errors: string, expected: unknown): void {
    const { error } = expectedError.parse(expected);
    if (error === "") expect(errors).toBe("");
    for (const words of error.split("\n")) expect(errors).toContain(words);
  }

  it.each(vectorsOf("raft.splitPeerAddr/"))("%s", (_, { input, expected }) => {
    const { peer } = z.object({ peer: z.string() }).parse(input);
    const parsed = parsePeer(peer);
    if (parsed.ok) expect(parsed.value).toEqual(expected);
    else expect(parsed.problem).toContain(expectedError.parse(expected).error);
  });

  it("zero values fall back to the raft library's defaults", () => {
    const zeros = ["election_timeout", "snapshot_threshold", "trailing_logs"];
    const { raft } = loadGood({ args: zeros.map((key) => `--evnode.raft.${key}=0`) }).config;
    expect(raft).toMatchObject({
      electionTimeoutMs: 1000,
      snapshotThreshold: 8192,
      trailingLogs: 10240,
    });
  });

  it("defaults are ev-node's, but for the address of HTTP", () => {
    const [[, vector] = []] = vectorsOf("default config values");
    const { "rpc.address": _, flag_count: __, ...defaults } = values.parse(vector?.expected);
    for (const [name, value] of Object.entries(defaults)) {
      const key = findKey(name);
      const parsed = key?.parse(key.initial);
      const shown =
        key?.type === "duration" && parsed?.ok
          ? formatDuration(Number(parsed.value))
          : key?.initial;
      expect([name, shown]).toEqual([name, String(value)]);
    }
  });

  it("a flag wins over YAML, and rollkit's flags are ev-node's", () => {
    const [[, vector] = []] = vectorsOf("precedence");
    const { argv } = z.object({ argv: z.array(z.string()) }).parse(vector?.input);
    const yaml =
      "node:\n  aggregator: true\n  block_time: 5s\nda:\n  address: http://yaml-da:26657\n";
    const { config, settings } = loadGood({ yaml, args: argv });
    expect(config.node).toMatchObject({ aggregator: true, blockTimeMs: 10_000 });
    expect(config.rpc.address).toBe("127.0.0.1:7332");
    expect(config.signer.signerPath).toBe("/path/to/signer");
    expect(settings.get("da.address")?.text).toBe("http://flag-da:26657");
    expect(settings.get("node.light")?.text).toBe("true");
    expect(readFlags(argv).rest).toEqual([]);
  });
});

describe("the five-node guide", () => {
  it("its evnode.yaml loads as it stands, placeholders and all", () => {
    const yaml = readFileSync(join(import.meta.dirname, "vectors", "guide-node-1.yaml"), "utf8");
    const { config, warnings } = loadGood({ yaml });
    expect(config.raft).toMatchObject({
      enable: true,
      nodeId: "node-1",
      raftAddr: "0.0.0.0:5001",
      advertiseAddr: null,
      raftDir: "/var/lib/ev-node/raft",
      heartbeatTimeoutMs: 92,
      electionTimeoutMs: 368,
      leaderLeaseTimeoutMs: 46,
      sendTimeoutMs: 50,
      trailingLogs: 18000,
      snapshotThreshold: 5000,
      snapCount: 3,
    });
    expect(config.raft.peers.map(({ id }) => id)).toEqual(["node-2", "node-3", "node-4", "node-5"]);
    expect(config.p2p.listenAddress).toBe("/ip4/0.0.0.0/tcp/26656");
    // Four placeholders for peer ids, and nothing else to say.
    expect(warnings.map(({ message }) => message.includes("placeholder"))).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  it("its recommended configuration has folded peers, which are trimmed", () => {
    const yaml = readFileSync(
      join(import.meta.dirname, "vectors", "guide-recommended.yaml"),
      "utf8",
    );
    expect(loadGood({ yaml }).config.raft.peers).toEqual(
      [2, 3, 4, 5].map((n) => ({ id: `node-${n}`, address: `10.0.0.${n}:5001` })),
    );
  });

  it("its command line gives the same", () => {
    const args = readFileSync(
      join(import.meta.dirname, "vectors", "guide-command-line.txt"),
      "utf8",
    )
      .split("\n")
      .filter((line) => line !== "");
    const { rest, usageProblems } = readFlags(args);
    expect({ rest, usageProblems }).toEqual({ rest: ["start"], usageProblems: [] });
    const { config } = loadGood({ args });
    expect(config.raft.peers).toHaveLength(4);
    expect(config.execution.type).toBe("engine");
    expect(config.signer.passphrase?.reveal()).toBe("correct horse");
    expect(config.evm.jwtSecret?.reveal()).toHaveLength(64);
  });
});
