/**
 * Mistakes that only a cluster shows: two nodes of one name, a peer that cannot be found, and half of a
 * node's state wiped (P1, P12). The others go on, and the log says what is wrong.
 */

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { portPicker } from "../../src/devnet/free-ports.ts";
import { LocalNode } from "../../src/devnet/local-node.ts";
import { answerOf, statusOf } from "../e2e/harness/cluster.ts";
import { until } from "../e2e/harness/until.ts";
import { commit, copyHome, temporaryFolder } from "./harness/homes.ts";
import { evm } from "./harness/start-once.ts";
import { WatchedCluster } from "./harness/watched-cluster.ts";

const folder = temporaryFolder();
const strays: LocalNode[] = [];
let watched: WatchedCluster;

beforeAll(async () => {
  watched = await WatchedCluster.start(join(folder.path, "cluster"));
}, 150_000);

afterAll(async () => {
  await Promise.all(strays.map((node) => node.stop(0)));
  await watched?.cluster.stop();
  folder.remove();
});

const asObject = (body: unknown): object => z.looseObject({}).parse(body);
const logOf = (node: LocalNode) => readFileSync(node.logFile, "utf8");

/** A node of the same name and peers as `original`, with ports and an empty disk of its own. */
async function doubleOf(original: LocalNode, flags: readonly string[] = []): Promise<LocalNode> {
  const home = join(folder.path, `double-of-${original.id}-${strays.length}`);
  copyHome(original.place.home, home);
  for (const name of ["data", "raft", "config/member.json"])
    rmSync(join(home, name), { recursive: true });
  const nextPort = portPicker();
  const { host } = original.place;
  const place = {
    ...original.place,
    home,
    raftPort: await nextPort(host),
    rpcPort: await nextPort(host),
    metricsPort: await nextPort(host),
    p2pPort: await nextPort(host),
  };
  const file = join(home, "config", "evnode.yaml");
  let yaml = readFileSync(file, "utf8");
  for (const key of ["raftPort", "rpcPort", "metricsPort", "p2pPort"] as const) {
    yaml = yaml.replaceAll(String(original.place[key]), String(place[key]));
  }
  writeFileSync(file, yaml);
  const double = new LocalNode(place, flags);
  strays.push(double);
  return double;
}

it("two nodes of one node_id: the second gets nowhere, and the cluster goes on", async () => {
  const original = watched.follower();
  const double = await doubleOf(original);
  await watched.unharmedBy(async () => {
    await double.start();
    await until("the second node waits for a log that nobody sends it", () =>
      /recovering: raft_dir was lost, no vote until the log is regained/.test(logOf(double)),
    );
    await commit(watched.leader, "two-of-a-name=1");
  });
  const said = await statusOf(double);
  expect(said.raft?.role).not.toBe("leader");
  expect(said.height).toBe(0);
  await double.stop(0);
});

it("a peer whose name does not resolve: the node starts, says so, and keeps trying", async () => {
  const { leader } = watched;
  const peers = `--evnode.raft.peers=node-8@no-such-host.invalid:5001,node-9@127.0.0.1:1`;
  const alone = await doubleOf(watched.follower(), [peers, "--evnode.raft.node_id=node-7"]);
  await alone.start();
  await until("the node says which name it cannot resolve", () =>
    /WRN raft: cannot resolve a peer's name host=no-such-host\.invalid/.test(logOf(alone)),
  );
  await statusOf(alone);
  expect((await fetch(`${alone.rpcUrl}/health/ready`)).status).toBe(503);
  expect((await fetch(`${alone.rpcUrl}/health/live`)).status).toBe(200);
  await alone.stop(0);
  expect((await statusOf(leader)).raft?.role).toBe("leader");
});

it.each([
  ["raft.enable", "--evnode.raft.enable=false"],
  ["raft.peers", "--evnode.raft.peers="],
])("a member that lost %s does not go on alone", async (key, flag) => {
  const [, member] = watched.followers;
  if (member === undefined) throw new Error("a cluster of three has two followers");
  await member.stop(25_000);
  const { code, said } = await evm(["start", `--home=${member.place.home}`, flag], {
    EV_SIGNER_PASSPHRASE: "devnet",
  });
  expect(code).toBe(78);
  expect(said).toContain(`${key}: `);
  expect(said).toMatch(/is the home of a member of a cluster \(node-1, node-2, node-3\)/);
  await member.start();
  await until("the member follows again", async () => (await member.status())?.raft?.leaderId);
});

it("a member that was recorded by mistake is forgotten as soon as the log says who the members are", async () => {
  const [member] = watched.followers;
  if (member === undefined) throw new Error("a cluster of three has two followers");
  await member.stop(25_000);
  const paths = ["data", "config"].map((name) => join(member.place.home, name, "member.json"));
  const mistaken = { members: ["node-1", "node-2", "node-3", "node-9"] };
  for (const path of paths) writeFileSync(path, JSON.stringify(mistaken));
  await member.start();
  const members = () => paths.map((path) => JSON.parse(readFileSync(path, "utf8")));
  const right = { members: ["node-1", "node-2", "node-3"] };
  await until("the record follows the log", () => isDeepStrictEqual(members(), [right, right]));
  await until("the member follows again", async () => (await member.status())?.raft?.leaderId);
});

it("a new member with another genesis ends, and says whose it has", async () => {
  const [original] = watched.followers;
  if (original === undefined) throw new Error("a cluster of three has two followers");
  await original.stop(25_000);
  const home = join(folder.path, "foreign");
  copyHome(original.place.home, home);
  for (const directory of ["data", "raft"]) rmSync(join(home, directory), { recursive: true });
  const genesis = join(home, "config", "genesis.json");
  const foreign = readFileSync(genesis, "utf8").replace(/"devnet"/, '"foreign"');
  writeFileSync(genesis, foreign);
  const { code, said } = await evm(["start", `--home=${home}`], { EV_SIGNER_PASSPHRASE: "devnet" });
  expect(code, said).toBe(78);
  expect(said).toMatch(/genesis\.json differs between members: chain "foreign" .* chain "devnet" /);
  expect(said).not.toContain("committed block refused");
  await original.start();
  await until("the member follows again", async () => (await original.status())?.raft?.leaderId);
});

it.each([
  ["blocks and state", "data"],
  ["the Raft directory", "raft"],
])("a follower that lost %s comes back with the same chain", async (_, directory) => {
  const follower = watched.followers[1];
  if (follower === undefined) throw new Error("a cluster of three has two followers");
  await follower.stop(25_000);
  rmSync(join(follower.place.home, directory), { recursive: true });
  await follower.start();
  const height = await commit(watched.leader, `lost-${directory}=1`);
  await until("the follower has the newest block", async () => {
    return ((await follower.status())?.height ?? 0) >= height;
  });
  const path = `/block/${height}`;
  // A block that came from another member's store, and not from the log, has no place in the log.
  const fromStore = { raft_index: expect.any(Number), raft_term: expect.any(Number) };
  const { status, body } = await answerOf(watched.leader, path);
  expect(status).toBe(200);
  expect(await answerOf(follower, path)).toMatchObject({
    status,
    body: { ...asObject(body), ...fromStore },
  });
  expect((await statusOf(watched.leader)).raft?.role).toBe("leader");
});
