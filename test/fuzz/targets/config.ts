/** What operators write: evnode.yaml, flags, environment variables, and the texts in them. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import {
  formatSocketAddress,
  parseMultiaddr,
  parseSocketAddress,
} from "../../../src/config/address.ts";
import { formatDuration, parseDuration } from "../../../src/config/duration.ts";
import { readEnvironment } from "../../../src/config/environment-source.ts";
import { readFlags } from "../../../src/config/flag-source.ts";
import { fraction, size, whole } from "../../../src/config/key.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Parsed } from "../../../src/config/parsed.ts";
import { formatPeers, parsePeers } from "../../../src/config/peers.ts";
import { ConfigError, formatProblem } from "../../../src/config/problem.ts";
import { allKeys } from "../../../src/config/schema.ts";
import { readYaml } from "../../../src/config/yaml-source.ts";
import { AddressBook } from "../../../src/transport/address-book.ts";
import { TransportError } from "../../../src/transport/errors.ts";
import { json, text, yaml } from "../shapes.ts";
import { Defect, expectThat, type Outcome, type Target, textOf, utf8 } from "../target.ts";

const samples = new URL("../../../config/", import.meta.url);
const files: readonly Uint8Array[] = readdirSync(samples)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => new Uint8Array(readFileSync(new URL(name, samples))));

/** Aliases, flow collections, block texts: what the samples do not need. */
const ornate = utf8(
  `raft:
  enable: true
  peers: &p
    - node-2@10.0.0.2:5001
    - 'node-3@[::1]:5001'
p2p: {peers: *p, listen_address: "/ip4/0.0.0.0/tcp/1"}
node:
  block_time: |
    1s
`,
);
const misspelt = utf8("raft:\n  heartbeet_timeuot_x: 1s\n");
const keyWords = allKeys.flatMap(({ name, shortName, initial }) => [name, shortName, initial]);
const words = [...new Set(keyWords)].filter((word) => word !== "").map(utf8);

/** `what` is a sentence that an operator reads. */
function expectSentence(what: string): void {
  expectThat(what.trim() !== "" && !what.includes("\n"), "does not say what is wrong");
}

function checkYaml(input: Uint8Array): Outcome {
  const { settings, problems, isReadable } = readYaml(textOf(input), "evnode.yaml");
  for (const problem of problems) expectSentence(formatProblem(problem));
  for (const { key, text } of settings) key.parse(text.trim());
  return isReadable && problems.length === 0 ? "taken" : "refused";
}

const home = mkdtempSync(join(tmpdir(), "ev-fuzz-home-"));
mkdirSync(join(home, "config"));
process.once("exit", () => rmSync(home, { recursive: true, force: true }));

function checkFile(input: Uint8Array): Outcome {
  writeFileSync(join(home, "config", "evnode.yaml"), input, { mode: 0o600 });
  return load(readFlags([]), {});
}

function load(
  flags: ReturnType<typeof readFlags>,
  environment: Readonly<Record<string, string>>,
): Outcome {
  try {
    loadConfig({ home, flags, environment, workingDirectory: "/" });
    return "taken";
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.detail.problems) expectSentence(formatProblem(problem));
    return "refused";
  }
}

/** One argument a line. */
function checkFlags(input: Uint8Array): Outcome {
  const { settings, problems, usageProblems } = readFlags(textOf(input).split("\n"));
  for (const { key, text } of settings) key.parse(key.isSecret ? text : text.trim());
  for (const problem of problems) expectSentence(formatProblem(problem));
  return problems.length + usageProblems.length === 0 ? "taken" : "refused";
}

/** `NAME=value`, one a line. */
function checkVariables(input: Uint8Array): Outcome {
  const variables = textOf(input)
    .split("\n")
    .map((line) => [line.split("=")[0] ?? "", line.slice(line.indexOf("=") + 1)]);
  const { settings, problems } = readEnvironment(Object.fromEntries(variables));
  for (const { key, text } of settings) key.parse(text.trim());
  for (const problem of problems) expectSentence(formatProblem(problem));
  return problems.length === 0 ? "taken" : "refused";
}

/** `format`, where there is one, writes what reads as the same value. */
function parsedTarget<Value>(
  name: string,
  seeds: readonly string[],
  parse: (text: string) => Parsed<Value>,
  format: ((value: Value) => string) | null = null,
): Target {
  return {
    name,
    shape: text,
    seeds: seeds.map(utf8),
    check: (input) => {
      const parsed = parse(textOf(input));
      if (!parsed.ok) {
        expectThat(parsed.problem.trim() !== "", "does not say what is wrong");
        return "refused";
      }
      if (format === null) return "taken";
      const again = parse(format(parsed.value));
      if (!again.ok || !isSame(again.value, parsed.value)) {
        throw new Defect("changes when it is written and read");
      }
      return "taken";
    },
  };
}

/** Beyond 2^53 ns, which is 104 days, a number of milliseconds holds no single nanosecond any more. */
function isSame(one: unknown, other: unknown): boolean {
  if (typeof one !== "number" || typeof other !== "number") return isDeepStrictEqual(one, other);
  return Math.abs(one - other) <= Math.abs(other) * Number.EPSILON * 2;
}

const dependencies = { lookup: async () => [], onLookupFailed: () => {} };

function checkAllowFrom(input: Uint8Array): Outcome {
  const entry = textOf(input);
  try {
    const book = new AddressBook([entry], dependencies);
    book.setHosts([entry]);
    book.isAllowed(entry);
    return "taken";
  } catch (error) {
    if (error instanceof TransportError && error.code === "TRANSPORT_BAD_ALLOW_FROM") {
      return "refused";
    }
    throw error;
  }
}

export const configTargets: readonly Target[] = [
  {
    name: "yaml",
    shape: yaml,
    seeds: [...files, ornate],
    refused: [misspelt],
    words,
    check: checkYaml,
    share: 0.5,
  },
  {
    name: "config-file",
    shape: yaml,
    seeds: files,
    refused: [misspelt],
    words,
    check: checkFile,
    share: 0.05,
  },
  {
    name: "flags",
    shape: text,
    seeds: [
      "start\n--home=/x\n--evnode.raft.node_id=node-1\n--evnode.node.aggregator\ntrue",
      "--evnode.raft.peers\nnode-2@10.0.0.2:5001\n--evm.eth-url='http://x'\n--\n--evnode.x",
    ].map(utf8),
    // Looking for the name that was meant takes longest.
    refused: [utf8("--evnode.raft.heartbeet_timeuot_x=1s")],
    words: allKeys.map(({ flag }) => utf8(flag)),
    check: checkFlags,
    share: 0.3,
  },
  {
    name: "environment",
    shape: text,
    seeds: [utf8("EVNODE_RAFT_NODE_ID=node-1\nEVNODE_HOME=/x\nPATH=/bin\nEVNODE_RAFT_ENABLE=1")],
    refused: [utf8("EVNODE_RAFT_HEARTBEET_TIMEUOT=1s")],
    words: allKeys.map(({ variable }) => utf8(variable)),
    check: checkVariables,
    share: 0.1,
  },
  parsedTarget(
    "duration",
    ["1h2m3.5s", "-500ms", "0", "100.00100s", "1ns", "12\u00b5s", "2562047h47m16s"],
    parseDuration,
    formatDuration,
  ),
  parsedTarget("size", ["64MiB", "1.5 GB", "0", "123b"], size("64MiB", "").parse, String),
  parsedTarget(
    "whole-number",
    ["0", "-12", "0x1F", "1_000", "0b101"],
    whole(0, "", { min: -99 }).parse,
    String,
  ),
  parsedTarget("fraction", ["0.5", "1e-3", "1", ".25"], fraction(0.5, "").parse, String),
  parsedTarget(
    "socket-address",
    ["10.0.0.1:5001", "[fd00::1]:1", ":0", "node-1.example:65535"],
    parseSocketAddress,
    formatSocketAddress,
  ),
  parsedTarget("multiaddr", ["/ip4/0.0.0.0/tcp/26656", "/dns/x.y/tcp/1/"], (value) =>
    parseMultiaddr(value, { peerId: "none" }),
  ),
  parsedTarget(
    "peer-multiaddr",
    ["/ip6/::1/tcp/1/p2p/12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"],
    (value) => parseMultiaddr(value, { peerId: "required" }),
  ),
  parsedTarget(
    "raft-peers",
    ["node-2@10.0.0.2:5001, node-3@[::1]:1,", "a@b:1", ""],
    parsePeers,
    formatPeers,
  ),
  {
    name: "raft-allow-from",
    shape: json,
    seeds: ["10.0.0.7", "10.0.0.0/24", "fd00::/8", "::ffff:10.0.0.1"].map(utf8),
    words: ["%eth0", "/", "/32", "/128", "/129", "::"].map(utf8),
    check: checkAllowFrom,
  },
];
