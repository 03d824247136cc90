/** Clusters of real processes for one test: started, waited for, and gone when the test ends. */

import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { ProcessGuard } from "../../../src/devnet/guard.ts";
import { LocalCluster, type LocalClusterOptions } from "../../../src/devnet/local-cluster.ts";
import type { LocalNode, LocalNodeStatus } from "../../../src/devnet/local-node.ts";
import { type UntilOptions, until } from "./until.ts";

type NodeAnswer = NonNullable<Awaited<ReturnType<LocalNode["get"]>>>;

export type ClusterOptions = Partial<Omit<LocalClusterOptions, "directory">>;

/** Of a failed test, the end of every node's log is printed. */
const shownLogLines = 60;

/** The homes only; nothing runs yet. What runs at the end of the test, or of its process, is killed, by its process id. */
export async function createCluster(options: ClusterOptions = {}): Promise<LocalCluster> {
  const directory = await mkdtemp(join(tmpdir(), "evm-e2e-"));
  const settings = {
    // Longer than any absence here: what is under test is replication, not backfill.
    "raft.trailing_logs": "18000",
    ...options.settings,
  };
  const guard = await ProcessGuard.start();
  const base = { nodeCount: 3, guard, directory };
  const cluster = await LocalCluster.create({ ...base, ...options, settings });
  onTestFinished(async ({ task }) => {
    await Promise.all(cluster.running.map(kill));
    await guard.close();
    if (task.result?.state === "fail") {
      // What the nodes left behind is what there is to learn from.
      process.stderr.write(`the nodes' homes are kept in ${directory}\n`);
      for (const node of cluster.nodes) printLog(node);
    } else await rm(directory, { recursive: true, force: true });
  });
  return cluster;
}

/** All nodes run, one leads, and the chain grows. */
export async function startCluster(options: ClusterOptions = {}): Promise<LocalCluster> {
  const cluster = await createCluster(options);
  await cluster.start();
  await untilAllFollow(cluster);
  return cluster;
}

/** The leader, once it builds blocks; not one of `except`. */
export function producingLeader(
  cluster: LocalCluster,
  except: readonly LocalNode[] = [],
): Promise<LocalNode> {
  return until("a leader that builds blocks", async () => {
    const leader = await cluster.leader();
    if (leader === null || except.includes(leader)) return null;
    return (await leader.status())?.raft?.state === "producing" ? leader : null;
  });
}

/** Every running node follows the same leader, and has all blocks there were when this was asked. */
export async function untilAllFollow(cluster: LocalCluster): Promise<void> {
  const before = await until("a chain", () => statusesOf(cluster.running));
  const height = Math.max(1, ...before.map((status) => status.height));
  await until(`all running nodes follow one leader and are at height ${height}`, async () => {
    const statuses = await statusesOf(cluster.running);
    if (statuses === null) return false;
    const leaders = new Set(statuses.map(({ raft }) => raft?.leaderId ?? null));
    const isJoined = leaders.size === 1 && !leaders.has(null);
    return isJoined && statuses.every((status) => status.height >= height);
  });
}

/** null as long as one of them does not answer. */
export async function statusesOf(nodes: readonly LocalNode[]): Promise<LocalNodeStatus[] | null> {
  const statuses = await Promise.all(nodes.map((node) => node.status()));
  const answered = statuses.filter((status) => status !== null);
  return answered.length === nodes.length ? answered : null;
}

/** `count` more blocks on `node`. */
export async function untilGrown(
  node: LocalNode,
  count: number,
  options: UntilOptions = {},
): Promise<number> {
  const target = (await heightOf(node)) + count;
  const grown = async () => {
    const height = (await node.status())?.height ?? 0;
    return height >= target ? height : null;
  };
  return await until(`${count} more blocks on ${node.id}`, grown, options);
}

/** Its status, as soon as it answers: one question goes unanswered where the machine stands still. */
export function statusOf(node: LocalNode): Promise<LocalNodeStatus> {
  return until(`${node.id} answers`, () => node.status());
}

/** Its answer to a GET of `path`, whatever it says, as soon as there is one. Asks perhaps more than once. */
export function answerOf(node: LocalNode, path: string): Promise<NodeAnswer> {
  return until(`${node.id} answers ${path}`, () => node.get(path));
}

/** Of its last block, as soon as it answers. */
export async function heightOf(node: LocalNode): Promise<number> {
  return (await statusOf(node)).height;
}

/** Those of a cluster that are not `node`. */
export function othersThan(node: LocalNode, { nodes }: LocalCluster): readonly LocalNode[] {
  return nodes.filter((other) => other !== node);
}

/** SIGKILL, also of a process that is stopped. Resolves when it is gone. */
export async function kill(node: LocalNode): Promise<void> {
  node.signal("SIGKILL");
  await node.exited;
}

/** SIGTERM to all of them: every one ends with 0. */
export async function terminate(nodes: readonly LocalNode[]): Promise<void> {
  for (const node of nodes) node.signal("SIGTERM");
  const exits = await Promise.all(nodes.map(async ({ id, exited }) => [id, await exited]));
  expect(exits).toEqual(nodes.map(({ id }) => [id, { code: 0, signal: null }]));
}

/** Those that run are terminated, and no node has logged an error in its life. */
export async function endCleanly(cluster: LocalCluster): Promise<void> {
  await terminate(cluster.running);
  for (const node of cluster.nodes) expect(errorLines(node), `${node.id}'s log`).toEqual([]);
}

export function logLines(node: LocalNode): string[] {
  return readFileSync(node.logFile, "utf8").split("\n");
}

/** Errors, and whatever did not come from the logger: a stack of Node.js, a failed assertion. */
function errorLines(node: LocalNode): string[] {
  const expected = /^\d{4}-\d\d-\d\dT[\d:.]+Z (DBG|INF|WRN) /;
  return logLines(node).filter((line) => line !== "" && !expected.test(line));
}

function printLog(node: LocalNode): void {
  const shown = logLines(node).slice(-shownLogLines).join("\n");
  process.stderr.write(`--- the end of ${node.id}'s log ---\n${shown}\n`);
}
