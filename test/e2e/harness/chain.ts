/**
 * The audit of a cluster after all that was done to it: every block of every node, over HTTP, as a
 * stranger would check them.
 */

import { expect } from "vitest";
import { z } from "zod";
import type { LocalCluster } from "../../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../../src/devnet/local-node.ts";
import { statusesOf } from "./cluster.ts";
import { until } from "./until.ts";

const blockSchema = z.object({
  height: z.number(),
  hash: z.string(),
  app_hash: z.string(),
  raft_index: z.number(),
  raft_term: z.number(),
  header: z.object({ last_header_hash: z.string(), time_ns: z.string() }),
  data: z.object({ txs: z.array(z.string()) }),
  signature: z.string(),
});

export type Block = z.infer<typeof blockSchema>;

export interface AuditOptions {
  /** Heights after which a new log was begun: the entries of its blocks count from its own beginning. */
  readonly logsBegunAfter?: readonly number[];
}

export interface Promised {
  readonly tx: string;
  readonly height: number;
  readonly index: number;
}

/**
 * All running nodes have come to one height and hold the same, linked blocks up to it (P1), with
 * every acknowledged transaction where it was said to be, and no transaction twice (P7). Returns the
 * blocks from height 1.
 */
export async function auditChain(
  cluster: LocalCluster,
  acknowledged: readonly Promised[] = [],
  { logsBegunAfter = [] }: AuditOptions = {},
): Promise<readonly Block[]> {
  const height = await commonHeight(cluster, acknowledged);
  const chains = await Promise.all(cluster.running.map((node) => readChain(node, height)));
  const [chain = [], ...others] = chains;
  for (const other of others) expect(disagreement(chain, other)).toBeNull();
  checkLinks(chain, logsBegunAfter);
  checkTransactions(chain, acknowledged);
  return chain;
}

/** The highest block that any node has now, once all have it. */
async function commonHeight(cluster: LocalCluster, acknowledged: readonly Promised[]) {
  // Not as arguments of one call: there may be more of them than a stack holds.
  const wanted = acknowledged.reduce((highest, promised) => Math.max(highest, promised.height), 0);
  const now = await until("all running nodes answer", () => statusesOf(cluster.running));
  const height = Math.max(wanted, ...now.map((status) => status.height));
  await until(`all running nodes are at height ${height}`, async () => {
    const statuses = await statusesOf(cluster.running);
    return statuses?.every((status) => status.height >= height) ?? false;
  });
  return height;
}

/** Several at a time: one after the other would take a round trip a block. */
const readsAtOnce = 8;

async function readChain(node: LocalNode, height: number): Promise<Block[]> {
  const chain: Block[] = [];
  for (let from = 1; from <= height; from += readsAtOnce) {
    const heights = Array.from({ length: Math.min(readsAtOnce, height + 1 - from) });
    chain.push(...(await Promise.all(heights.map((_, nth) => readBlock(node, from + nth)))));
  }
  return chain;
}

export async function readBlock(node: LocalNode, height: number): Promise<Block> {
  const answer = await until(`${node.id} answers`, () => node.get(`/block/${height}`));
  expect(answer.status, `${node.id} has block ${height}: ${JSON.stringify(answer.body)}`).toBe(200);
  return blockSchema.parse(answer.body);
}

/** Both have the same blocks at these heights, byte for byte. */
export async function expectSameBlocks(
  one: LocalNode,
  other: LocalNode,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<void> {
  for (let at = from; at <= to; at += readsAtOnce) {
    const heights = Array.from(
      { length: Math.min(readsAtOnce, to + 1 - at) },
      (_, nth) => at + nth,
    );
    await Promise.all(
      heights.map(async (height) => {
        const [ours, theirs] = await Promise.all([
          readBlock(one, height),
          readBlock(other, height),
        ]);
        if (!areSame(ours, theirs)) expect(theirs).toEqual(ours);
      }),
    );
  }
}

function disagreement(chain: readonly Block[], other: readonly Block[]): object | null {
  for (const [at, block] of chain.entries()) {
    const its = other[at];
    if (its === undefined || !areSame(block, its)) return { one: block, other: its };
  }
  return chain.length === other.length ? null : { one: chain.length, other: other.length };
}

/** A block that came from a peer has no place in the log that its node knows. */
function areSame(a: Block, b: Block): boolean {
  const isPlaced = a.raft_index > 0 && b.raft_index > 0;
  const comparable = (block: Block) =>
    JSON.stringify(isPlaced ? block : { ...block, raft_index: 0, raft_term: 0 });
  return comparable(a) === comparable(b);
}

function checkLinks(chain: readonly Block[], logsBegunAfter: readonly number[]): void {
  let last: Block | null = null;
  let place = { index: 0, term: 0 };
  for (const [at, block] of chain.entries()) {
    if (last !== null && logsBegunAfter.includes(last.height)) place = { index: 0, term: 0 };
    expect(block.height).toBe(at + 1);
    if (last !== null) {
      expect(block.header.last_header_hash).toBe(last.hash);
      expect(BigInt(block.header.time_ns)).toBeGreaterThan(BigInt(last.header.time_ns));
    }
    if (block.raft_index > 0) {
      expect(block.raft_index).toBeGreaterThan(place.index);
      expect(block.raft_term).toBeGreaterThanOrEqual(place.term);
      place = { index: block.raft_index, term: block.raft_term };
    }
    last = block;
  }
}

/** Transactions of a test differ in their bytes, so equal bytes are one transaction executed twice. */
function checkTransactions(chain: readonly Block[], acknowledged: readonly Promised[]): void {
  const places = placesOf(chain);
  const twice = [...places].filter(([, found]) => found.length > 1);
  expect(twice, "transactions executed twice").toEqual([]);
  const broken = acknowledged.filter(({ tx, height, index }) => {
    const place = places.get(tx)?.[0];
    return place?.height !== height || place.index !== index;
  });
  expect(broken, "acknowledged, and not where that was").toEqual([]);
}

/** Where each transaction is, by its text. */
export function placesOf(
  chain: readonly Block[],
): ReadonlyMap<string, readonly { readonly height: number; readonly index: number }[]> {
  const places = new Map<string, { height: number; index: number }[]>();
  for (const { height, data } of chain) {
    for (const [index, hex] of data.txs.entries()) {
      const tx = Buffer.from(hex.replace(/^0x/, ""), "hex").toString();
      const place = { height, index };
      const known = places.get(tx);
      if (known === undefined) places.set(tx, [place]);
      else known.push(place);
    }
  }
  return places;
}
