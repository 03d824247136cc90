/**
 * A flipped bit on the disk of a real node: it is named, never served and never executed, and what other
 * nodes have is fetched from them.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { answerOf } from "../e2e/harness/cluster.ts";
import { until } from "../e2e/harness/until.ts";
import { flipBit } from "../storage/flip-bit.ts";
import { commit, lazy, temporaryFolder } from "./harness/homes.ts";
import { evm } from "./harness/start-once.ts";

const folder = temporaryFolder();
let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.create({
    directory: folder.path,
    nodeCount: 3,
    settings: {
      ...lazy,
      // Whoever is killed is to be missed by its process alone, on a busy machine too.
      "raft.heartbeat_timeout": "1s",
      "raft.election_timeout": "1s",
      "raft.leader_lease_timeout": "500ms",
    },
  });
  await cluster.start();
}, 120_000);

afterAll(async () => {
  await cluster?.stop(0);
  folder.remove();
});

const Block = z.object({ height: z.number(), signature: z.string() });

const logOf = (node: LocalNode) => readFileSync(node.logFile, "utf8");
const blocksOf = ({ place }: LocalNode) => join(place.home, "data", "blocks.mdb");
const raftLogOf = ({ place }: LocalNode) => join(place.home, "raft", "raft.mdb");

async function leader(): Promise<LocalNode> {
  return until("somebody leads", () => cluster.leader());
}

async function followerOf(leading: LocalNode): Promise<LocalNode> {
  const found = cluster.nodes.find((node) => node !== leading);
  if (found === undefined) throw new Error("a cluster of three has followers");
  return found;
}

async function hasHeight(node: LocalNode, height: number): Promise<void> {
  const isThere = async () => ((await node.status())?.height ?? 0) >= height;
  await until(`${node.id} has block ${height}`, isThere);
}

it("blocks: 500 and the height from the node itself, and the very same blocks from its peers soon after", async () => {
  const leading = await leader();
  const node = await followerOf(leading);
  const heights: number[] = [];
  for (const tx of ["one=<first>", "two=<second>", "three=<third>", "four=<fourth>"]) {
    heights.push(await commit(leading, tx));
  }
  const [, second = 0, third = 0, last = 0] = heights;
  await hasHeight(node, last);
  await node.stop(25_000);
  flipBit(blocksOf(node), "two=<second>");
  flipBit(blocksOf(node), "three=<third>");
  await node.start();
  // Its very first answer once it has started, however long that takes: it repairs the block, and says nothing of it later.
  const hasStarted = async () => {
    const said = await askOnce(node, `/block/${third}`);
    return said?.status === 503 ? null : said;
  };
  const answer = await until("it answers", hasStarted, { everyMs: 1 });
  expect(answer).toMatchObject({
    status: 500,
    body: { error: { code: "BLOCK_DAMAGED", height: third } },
  });
  expect(JSON.stringify(answer.body)).toContain(`Block ${third} is damaged on this node's disk`);

  for (const height of [second, third]) {
    const repaired = await until(`block ${height} is repaired`, async () => {
      const block = await node.get(`/block/${height}`);
      return block?.status === 200 ? block.body : null;
    });
    const original = await answerOf(leading, `/block/${height}`);
    expect(repaired).toEqual({
      ...Object(original.body),
      // Peers do not know where in the log a block was.
      raft_index: 0,
      raft_term: 0,
    });
    expect(logOf(node)).toMatch(
      new RegExp(`ERR stored block is damaged, fetching it again height=${height} .*blocks\\.mdb`),
    );
    expect(logOf(node)).toContain(`INF damaged block repaired height=${height}`);
  }
});

it("the last block: the node does not start, and says which file and what to do", async () => {
  const leading = await leader();
  const node = await followerOf(leading);
  await hasHeight(node, await commit(leading, "last=<the head>"));
  const { height, signature } = Block.parse((await answerOf(node, "/block/latest")).body);
  await node.stop(25_000);
  flipBit(blocksOf(node), Buffer.from(signature.replace("0x", ""), "hex"));
  const { code, said } = await startOnce(node);
  expect(code, said).toBe(74);
  expect(said).toContain(
    `${blocksOf(node)} is damaged: blocks ${height} does not match its checksum. Check the disk, then move`,
  );
  expect(said).not.toContain("node started");
});

it("an entry of the log at its end: the node does not start", async () => {
  const leading = await leader();
  const node = cluster.running.find((other) => other !== leading);
  if (node === undefined) throw new Error("one follower still runs");
  await hasHeight(node, await commit(leading, "entry=<the last>"));
  await node.stop(25_000);
  flipBit(raftLogOf(node), "entry=<the last>");
  const { code, said } = await startOnce(node);
  expect(code, said).toBe(74);
  const place = `${raftLogOf(node)} is damaged: log \\d+ does not match its checksum`;
  expect(said).toMatch(new RegExp(`${place}\\. Check the disk, then move`));
});

/** null if it does not listen yet; once it does, its answer is waited for. */
async function askOnce(node: LocalNode, path: string) {
  const response = await fetch(node.rpcUrl + path).catch(() => null);
  if (response === null) return null;
  const body: unknown = await response.json();
  return { status: response.status, body };
}

function startOnce({ place }: LocalNode): ReturnType<typeof evm> {
  return evm(["start", `--home=${place.home}`], { EV_SIGNER_PASSPHRASE: place.passphrase });
}
