/**
 * The operator's mistakes (P12): `evm start` ends at once, with the right exit code and a sentence that
 * says what to do, and what is on the disk stays as it is.
 */

import { cpSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { answerOf } from "../e2e/harness/cluster.ts";
import {
  commit,
  copyHome,
  fingerprint,
  killAll,
  stoppedChain,
  temporaryFolder,
} from "./harness/homes.ts";
import { evm } from "./harness/start-once.ts";

const folder = temporaryFolder();
const needle = "the-value-to-be-found-in-the-file-and-spoiled";
const passphrase = { EV_SIGNER_PASSPHRASE: "devnet" };
let chain: LocalNode;
let foreign: LocalNode;

beforeAll(async () => {
  chain = await stoppedChain(join(folder.path, "chain"), ["a=1", `needle=${needle}`]);
  foreign = await stoppedChain(join(folder.path, "foreign"), ["a=1"], { chainId: "other" });
}, 120_000);

afterAll(async () => {
  await killAll();
  folder.remove();
});

const flag = (key: string, value: string) => `--evnode.${key}=${value}`;
const configFile = (home: string) => join(home, "config", "evnode.yaml");

function replaceIn(path: string, from: string | RegExp, to: string): void {
  const before = readFileSync(path, "utf8");
  const after = before.replace(from, to);
  if (after === before) throw new Error(`${path} has no ${from}`);
  writeFileSync(path, after);
}

/** Changes one bit of every copy of the needle that the file holds. */
function spoilNeedle(path: string): void {
  const bytes = readFileSync(path);
  let at = bytes.indexOf(needle);
  if (at === -1) throw new Error(`${path} has no needle`);
  for (; at !== -1; at = bytes.indexOf(needle, at + 1)) bytes[at] = (bytes[at] ?? 0) ^ 0x01;
  writeFileSync(path, bytes);
}

interface Mistake {
  readonly name: string;
  readonly spoil?: (home: string) => void;
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly code: number;
  /** What is said, in whatever order. */
  readonly says: readonly RegExp[];
  readonly never?: RegExp;
  /** The Raft database is cut there. LMDB must not read past the end of a file: what is missing is filled with zeros first. */
  readonly cutAtBytes?: number;
}

const configuration: readonly Mistake[] = [
  {
    name: "values and keys that are none",
    spoil: (home) => {
      replaceIn(configFile(home), /^ {2}raft_addr:/m, "  raft_adr:");
      replaceIn(configFile(home), /block_time: 10ms/, "block_time: 10");
    },
    flags: [flag("raft.peers", "node-2-10.0.0.2"), flag("raft.send_timeout", "soon")],
    code: 78,
    says: [
      /evnode\.yaml:\d+:\d+: raft\.raft_adr: is no known key; did you mean raft\.raft_addr\?/,
      /node\.block_time: "10" has no unit; write 10ms/,
      /raft\.peers: .*node-2-10\.0\.0\.2/,
      /raft\.send_timeout: "soon"/,
    ],
  },
  {
    name: "timeouts that contradict one another",
    flags: [
      flag("raft.leader_lease_timeout", "500ms"),
      flag("raft.heartbeat_timeout", "400ms"),
      flag("raft.election_timeout", "300ms"),
      flag("raft.node_id", ""),
    ],
    code: 78,
    says: [
      /raft\.leader_lease_timeout: .*500ms.*400ms/,
      /raft\.election_timeout: .*300ms.*>= .*400ms/,
      /raft\.node_id: node ID is required/,
    ],
  },
  {
    name: "one node_id twice",
    flags: [flag("raft.peers", "node-2@127.0.0.1:2,node-2@127.0.0.1:3")],
    code: 78,
    says: [/raft\.peers: .*node-2.*(twice|duplicate|two)/i],
  },
  {
    name: "Raft without an aggregator",
    flags: [flag("node.aggregator", "false")],
    code: 78,
    says: [/raft\.enable is true and node\.aggregator is false; set node\.aggregator: true/],
  },
  {
    name: "a full node",
    flags: [flag("node.aggregator", "false"), flag("raft.enable", "false")],
    code: 78,
    says: [/node\.aggregator: is false, and this program only runs sequencers/],
  },
  {
    name: "a home without a configuration",
    spoil: (home) => rmSync(configFile(home)),
    code: 78,
    says: [/node\.aggregator: .*evnode\.yaml does not exist: correct --home, or .*evm init/],
  },
  {
    name: "YAML that was cut in the middle",
    spoil: (home) => {
      const text = readFileSync(configFile(home), "utf8");
      writeFileSync(configFile(home), `${text.slice(0, text.indexOf("raft:"))}raft: {enable: "tr`);
    },
    code: 78,
    says: [/evnode\.yaml:\d+:\d+: /],
  },
  {
    name: "an execution client without its secret",
    flags: ["--evm.eth-url=http://127.0.0.1:8545"],
    code: 78,
    says: [/evm\.jwt_secret_file: is required .*--evm\.jwt-secret-file=FILE/],
  },
];

const home: readonly Mistake[] = [
  {
    name: "no genesis.json",
    spoil: (path) => rmSync(join(path, "config", "genesis.json")),
    code: 78,
    says: [/genesis\.json does not exist\. .*copy it from the node that made the chain/],
  },
  {
    name: "a genesis.json that was cut",
    spoil: (path) => truncateSync(join(path, "config", "genesis.json"), 20),
    code: 78,
    says: [/genesis\.json is not JSON/],
  },
  {
    name: "no signer.json",
    spoil: (path) => rmSync(join(path, "config", "signer.json")),
    code: 78,
    says: [/signer\.json does not exist\. Copy signer\.json from another member/],
  },
  {
    name: "the signer of another chain",
    spoil: (path) => copyConfig("signer.json", path),
    code: 78,
    says: [/proposer_address is not the address of .*signer\.json/],
  },
  {
    name: "signer and genesis of another chain",
    spoil: (path) => {
      copyConfig("signer.json", path);
      copyConfig("genesis.json", path);
    },
    code: 78,
    says: [/of another chain|holds blocks of chain devnet/],
  },
  {
    name: "no passphrase",
    environment: {},
    code: 78,
    says: [/signer\.passphrase: is required .*EV_SIGNER_PASSPHRASE/],
  },
  {
    name: "a wrong passphrase, and on the command line",
    flags: [flag("signer.passphrase", "hunter2")],
    environment: {},
    code: 78,
    says: [
      /WRN signer\.passphrase was given as a value that other users of this machine may see/,
      /the passphrase does not open .*signer\.json/,
    ],
    never: /hunter2/,
  },
];

const disk: readonly Mistake[] = [
  {
    name: "a new node_id over an old raft_dir",
    flags: [flag("raft.node_id", "node-9")],
    code: 78,
    says: [/raft\.mdb holds the votes and the log of node node-1 .*this is node node-9/],
  },
  {
    name: "the raft_dir of another chain",
    spoil: (path) => {
      rmSync(join(path, "raft"), { recursive: true });
      cpSync(join(foreign.place.home, "raft"), join(path, "raft"), { recursive: true });
    },
    code: 78,
    says: [/raft\.mdb holds the votes and the log of node node-1 of chain other/],
  },
  {
    name: "a log entry with one wrong bit",
    spoil: (path) => spoilNeedle(join(path, "raft", "raft.mdb")),
    code: 74,
    says: [/raft\.mdb is damaged: log \d+ does not match its checksum.* Check the disk/],
  },
  {
    name: "a block with one wrong bit",
    spoil: (path) => spoilNeedle(join(path, "data", "blocks.mdb")),
    code: 74,
    says: [/blocks\.mdb is damaged: blocks \d+ does not match its checksum.* Check the disk/],
  },
  {
    name: "a Raft database that was cut",
    cutAtBytes: 6000,
    code: 74,
    says: [/raft\.mdb is damaged: .* Check the disk/],
  },
  {
    name: "a Raft database that is something else",
    spoil: (path) => writeFileSync(join(path, "raft", "raft.mdb"), "hello\n".repeat(2000)),
    code: 74,
    says: [/raft\.mdb was not written by this program\. Move it away/],
  },
  {
    name: "a file where raft_dir should be",
    spoil: (path) => {
      rmSync(join(path, "raft"), { recursive: true });
      writeFileSync(join(path, "raft"), "");
    },
    code: 74,
    says: [/raft is not a directory \(EEXIST\)\. Move the file away/],
  },
];

function copyConfig(name: string, to: string): void {
  cpSync(join(foreign.place.home, "config", name), join(to, "config", name));
}

let copies = 0;

async function expectRefusal(mistake: Mistake): Promise<void> {
  const { spoil, cutAtBytes, flags = [], environment = passphrase, code, says, never } = mistake;
  const path = join(folder.path, `copy-${++copies}`);
  copyHome(chain.place.home, path);
  spoil?.(path);
  if (cutAtBytes !== undefined) truncateSync(join(path, "raft", "raft.mdb"), cutAtBytes);
  const before = fingerprint(path);
  // All copies of the home would listen on the same ports, at the same time.
  const ports = [
    flag("rpc.address", "127.0.0.1:0"),
    flag("p2p.listen_address", "/ip4/127.0.0.1/tcp/0"),
    flag("instrumentation.prometheus_listen_addr", "127.0.0.1:0"),
  ];
  const ended = await evm(["start", `--home=${path}`, ...ports, ...flags], environment);
  expect(ended, ended.said).toMatchObject({ code });
  for (const sentence of says) expect(ended.said).toMatch(sentence);
  if (never !== undefined) expect(ended.said).not.toMatch(never);
  expect(ended.said, "a sentence, and no stack").not.toMatch(/^ {4}at /m);
  // Without the zeros it is as it was.
  if (cutAtBytes !== undefined) truncateSync(join(path, "raft", "raft.mdb"), cutAtBytes);
  expect(fingerprint(path), "nothing on the disk was changed").toBe(before);
}

describe.concurrent("evm start refuses (P12)", () => {
  it.each(configuration)("in the configuration: $name", expectRefusal);
  it.each(home)("in the home: $name", expectRefusal);
  it.each(disk)("on the disk: $name", expectRefusal);

  it("a home that is not there, and makes none", async () => {
    const path = join(folder.path, "nowhere");
    const { code, said } = await evm(["start", `--home=${path}`], passphrase);
    expect({ code, said }).toMatchObject({ code: 78 });
    expect(said).toMatch(/node\.aggregator|genesis\.json|evm init/);
    expect(existsSync(path)).toBe(false);
  });
});

describe("evm start, on ports and directories in use (P12)", () => {
  it.each([
    ["rpc.address", /rpc\.address 127\.0\.0\.1:\d+ is in use by another process\. Stop it, or/],
    ["raft.raft_addr", /127\.0\.0\.1:\d+ .*(in use|listens there)/],
    ["instrumentation.prometheus_listen_addr", /cannot serve metrics on .*another process listens/],
    ["p2p.listen_address", /p2p\.listen_address|\/ip4\/127\.0\.0\.1\/tcp\/\d+ .*(in use|listens)/],
  ])("refuses a port of %s that is taken (69)", async (key, sentence) => {
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const address = taken.address();
    if (address === null || typeof address === "string") throw new Error("a port is a number");
    const path = join(folder.path, `copy-${++copies}`);
    copyHome(chain.place.home, path);
    const isMultiaddr = key === "p2p.listen_address";
    const where = isMultiaddr ? "/ip4/127.0.0.1/tcp/" : "127.0.0.1:";
    const before = fingerprint(path);
    const flags = [flag(key, `${where}${address.port}`)];
    const ended = await evm(["start", `--home=${path}`, ...flags], passphrase);
    taken.close();
    expect(ended, ended.said).toMatchObject({ code: 69 });
    expect(ended.said).toMatch(sentence);
    expect(ended.said, "it took part in nothing").not.toMatch(/election|leader state/);
    expect(fingerprint(path), "nothing on the disk was changed").toBe(before);
  });

  it("refuses a second start, which harms the first in nothing; the chain goes on", async () => {
    await chain.start();
    const height = await commit(chain, "b=2");
    const second = await evm(["start", `--home=${chain.place.home}`], passphrase);
    expect(second, second.said).toMatchObject({ code: 69 });
    expect(second.said).toMatch(
      /is in use by process \d+ .*Stop it, or give this node a directory/,
    );
    expect(await commit(chain, "c=3")).toBe(height + 1);
    expect(await chain.stop(25_000)).toMatchObject({ code: 0 });
  });

  it("serves what is whole beside a damaged value, and names the damage", async () => {
    spoilNeedle(join(chain.place.home, "data", "kv.mdb"));
    await chain.start();
    await commit(chain, "d=4");
    expect(await answerOf(chain, "/state/needle")).toMatchObject({ status: 500 });
    expect(await answerOf(chain, "/state/a")).toMatchObject({ status: 200 });
    expect(readFileSync(chain.logFile, "utf8")).toMatch(
      /kv\.mdb is damaged: state \w+ does not match its checksum/,
    );
    expect(await chain.stop(25_000)).toMatchObject({ code: 0 });
  });
});
