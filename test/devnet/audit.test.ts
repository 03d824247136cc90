/** The audit finds what it is there to find: nodes that serve a bad chain over HTTP. */

import { createServer, type Server } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { Audit } from "../../src/devnet/audit.ts";
import { LoadKeys } from "../../src/devnet/load-keys.ts";
import { LocalNode } from "../../src/devnet/local-node.ts";

interface Served {
  readonly hash: string;
  readonly parent: string;
  readonly app_hash?: string;
  readonly signature?: string;
  readonly raft_index?: number;
  readonly txs?: readonly string[];
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A node of which only the blocks exist, from height 1. */
async function nodeWith(id: string, blocks: readonly Served[]): Promise<LocalNode> {
  const server = createServer((request, response) => {
    const height = Number(request.url?.split("/").at(-1));
    const block = blocks[height - 1];
    if (block === undefined) {
      response.writeHead(404).end("{}");
      return;
    }
    const txs = (block.txs ?? []).map((tx) => Buffer.from(tx).toString("hex"));
    const header = { last_header_hash: block.parent };
    const common = { app_hash: "state", signature: "sig", raft_index: 0, raft_term: 7 };
    response.end(JSON.stringify({ ...common, ...block, height, header, data: { txs } }));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
  const address = server.address();
  const rpcPort = typeof address === "object" && address !== null ? address.port : 0;
  const ports = { raftPort: 0, rpcPort, metricsPort: 0, p2pPort: 0 };
  return new LocalNode({ id, home: "", host: "127.0.0.1", passphrase: "", ...ports }, []);
}

const first = { hash: "aa", parent: "" };

describe("Audit", () => {
  const keys = new LoadKeys();
  const tx = (sequence: number) => `${keys.keyOf(sequence)}=x`;

  it("is content with one chain in which every acknowledged transaction stands once", async () => {
    const blocks = [first, { hash: "bb", parent: "aa", txs: [tx(0), "hello=world", tx(1)] }];
    const audit = new Audit(keys, ["node-1", "node-2"]);
    audit.acknowledged(0, 2);
    for (const id of ["node-1", "node-2"]) {
      expect(await audit.advance(await nodeWith(id, blocks), 2)).toBe(true);
    }
    expect(audit.conclude()).toEqual([]);
  });

  it("finds two blocks at one height", async () => {
    const audit = new Audit(keys, ["node-1", "node-2"]);
    await audit.advance(await nodeWith("node-1", [first]), 1);
    await audit.advance(await nodeWith("node-2", [{ ...first, hash: "ff" }]), 1);
    expect(audit.conclude()).toEqual(["two blocks at height 1: ff on node-2, aa on node-1"]);
  });

  it.each([
    [{ app_hash: "other" }, "two states at height 1: other on node-2, state on node-1"],
    [{ signature: "other" }, "two signatures at height 1: other on node-2, sig on node-1"],
    [{ raft_index: 5 }, "two entries at height 1: 5 of term 7 on node-2, 4 of term 7 on node-3"],
  ])("finds nodes that say otherwise of a block: %o", async (other, violation) => {
    const audit = new Audit(keys, ["node-1", "node-2", "node-3"]);
    await audit.advance(await nodeWith("node-1", [first]), 1);
    await audit.advance(await nodeWith("node-3", [{ ...first, raft_index: 4 }]), 1);
    await audit.advance(await nodeWith("node-2", [{ ...first, ...other }]), 1);
    expect(audit.conclude()).toEqual([violation]);
  });

  it("finds a block that does not follow the one before", async () => {
    const audit = new Audit(keys, ["node-1", "node-2"]);
    await audit.advance(await nodeWith("node-1", [first, { hash: "bb", parent: "cc" }]), 2);
    expect(audit.conclude()).toEqual(["block 2 follows cc, not aa"]);
  });

  it("finds transactions that are lost, elsewhere or there twice", async () => {
    const audit = new Audit(keys, ["node-1", "node-2"]);
    const second = { hash: "bb", parent: "aa", txs: [tx(1)] };
    await audit.advance(await nodeWith("node-1", [{ ...first, txs: [tx(1), tx(2)] }, second]), 2);
    for (const [sequence, height] of [[0, 1] as const, [1, 1] as const, [2, 2] as const]) {
      audit.acknowledged(sequence, height);
    }
    expect(audit.conclude()).toEqual([
      "transaction 1 is at height 1 and at 2",
      "transaction 0 was acknowledged at height 1 and is nowhere",
      "transaction 2 was acknowledged at height 2 and is at 1",
    ]);
  });

  it("does not take a block that is not there for one that agrees", async () => {
    const audit = new Audit(keys, ["node-1", "node-2"]);
    const node = await nodeWith("node-1", [first]);
    expect(await audit.advance(node, 2)).toBe(false);
    expect(audit.comparedTo(node)).toBe(1);
  });

  it("reads again what a killed node may have lost and made anew", async () => {
    const audit = new Audit(keys, ["node-1", "node-2"]);
    const blocks = [{ ...first }];
    const node = await nodeWith("node-1", blocks);
    await audit.advance(node, 1);
    blocks[0] = { ...first, hash: "ff" };
    audit.restarted(node);
    await audit.advance(node, 1);
    expect(audit.conclude()).toHaveLength(1);
  });

  it("forgets what is settled on all nodes, and still finds a transaction that comes again", async () => {
    const audit = new Audit(keys, ["node-1", "node-2"]);
    const blocks: Served[] = Array.from({ length: 1_000 }, (_, at) => ({
      hash: `hash-${at + 1}`,
      parent: at === 0 ? "" : `hash-${at}`,
      // The third transaction is never acknowledged, and the first comes twice.
      txs: at === 999 ? [tx(0)] : [tx(at)],
    }));
    for (let sequence = 0; sequence < 999; sequence++) {
      if (sequence !== 2) audit.acknowledged(sequence, sequence + 1);
    }
    const nodes = [await nodeWith("node-1", blocks), await nodeWith("node-2", blocks)];
    for (let height = 50; height <= 1_000; height += 50) {
      for (const node of nodes) expect(await audit.advance(node, height)).toBe(true);
    }
    expect(audit.acknowledgedCount).toBe(998);
    // Of a block: its hash, where its transaction was found, where it was acknowledged.
    expect(audit.size).toBeLessThan(3 * 300);
    // A node that is killed twice reads blocks again that are settled.
    for (const node of nodes) {
      audit.restarted(node);
      audit.restarted(node);
      expect(await audit.advance(node, 1_000)).toBe(true);
    }
    expect(audit.conclude()).toEqual(["transaction 0 is at height 1000 and at a lower one"]);
  });
});
