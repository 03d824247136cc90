/** A single sequencer that was killed becomes a cluster's member with all that it has acknowledged (P7). */

import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { z } from "zod";
import { loadConfig } from "../../src/config/load.ts";
import { LocalCluster } from "../../src/devnet/local-cluster.ts";
import { Node } from "../../src/node/node.ts";
import { openHome } from "../../src/node/open-home.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { until } from "../e2e/harness/until.ts";

let directory: string;
let home: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "evm-solo-"));
  const settings = { "node.block_time": "5ms" };
  const cluster = await LocalCluster.create({ directory, nodeCount: 1, settings });
  home = cluster.node("node-1").place.home;
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Wish {
  readonly isMember: boolean;
  /** How much of the log stays; all of it unless it is given. */
  readonly environment?: Readonly<Record<string, string>>;
}

async function nodeOf({ isMember, environment = {} }: Wish): Promise<Node> {
  const { config } = loadConfig({
    home,
    flags: { settings: [], problems: [] },
    environment: { ...environment, EVNODE_RAFT_ENABLE: String(isMember) },
    workingDirectory: directory,
  });
  const options = {
    config,
    home: await openHome(config, "devnet"),
    version: "test",
    adminToken: null,
    jwtSecret: null,
  };
  const log = createLogger({ level: "error", format: "text" });
  return new Node(options, { log, onFailure: (error) => expect.fail(String(error)) });
}

/** Runs until the chain is above `target`; answers its height then. */
async function run(wish: Wish, target: number): Promise<number> {
  const node = await nodeOf(wish);
  await node.start();
  await until(`it is above ${target}`, async () => (await heightOf(node)) > target);
  const height = await heightOf(node);
  await node.stop();
  return height;
}

const statusSchema = z.object({
  result: z.object({ sync_info: z.object({ latest_block_height: z.string() }) }),
});

async function heightOf({ rpcAddress }: Node): Promise<number> {
  const response = await fetch(`http://${rpcAddress?.host}:${rpcAddress?.port}/status`);
  const { result } = statusSchema.parse(await response.json());
  return Number(result.sync_info.latest_block_height);
}

/** What the store holds up to `height`. */
async function hashesOf(wish: Wish, height: number): Promise<readonly string[]> {
  const node = await nodeOf(wish);
  await node.start();
  const { host, port } = node.rpcAddress ?? { host: "", port: 0 };
  const hashes: string[] = [];
  for (let at = 1; at <= height; at++) {
    const response = await fetch(`http://${host}:${port}/block/${at}`);
    hashes.push(z.object({ hash: z.string() }).parse(await response.json()).hash);
  }
  await node.stop();
  return hashes;
}

/** As a crash leaves them: the log is ahead of the blocks and of the state. */
function copyFiles(from: string, to: string): void {
  for (const name of readdirSync(from).filter((file) => /^(blocks|kv)\.mdb$/.test(file))) {
    copyFileSync(join(from, name), join(to, name));
  }
}

it("begins above the blocks that are in its own log alone", async () => {
  const data = join(home, "data");
  await run({ isMember: false }, 3);
  copyFiles(data, directory);
  const height = await run({ isMember: false }, 10);
  const before = await hashesOf({ isMember: false }, height);
  copyFiles(directory, data);
  await run({ isMember: true }, height);
  expect(await hashesOf({ isMember: true }, height)).toEqual(before);
});

it("does not begin beside a log whose blocks were moved away: it would sign their heights again", async () => {
  const environment = { EVNODE_RAFT_SNAPSHOT_THRESHOLD: "10", EVNODE_RAFT_TRAILING_LOGS: "5" };
  await run({ isMember: false, environment }, 60);
  const data = join(home, "data");
  for (const name of readdirSync(data).filter((file) => /^(blocks|kv)\.mdb/.test(file))) {
    rmSync(join(data, name));
  }
  const node = await nodeOf({ isMember: true });
  const refused =
    /db_path: .*solo-raft is the log of a single sequencer with the blocks \d+ to \d+, and this node has none of the blocks before\. If other members/;
  await expect(node.start()).rejects.toThrow(refused);
  // With other members' blocks, or with nothing at all, it is as any new one.
  rmSync(join(data, "solo-raft"), { recursive: true });
  await run({ isMember: true }, 3);
});
