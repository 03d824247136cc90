/** Damaged blocks are named, remembered, and replaced by the very block that was there. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { StoredBlock } from "../../src/block/types.ts";
import type { BlockStore } from "../../src/storage/block-store.ts";
import { blockFileName } from "../../src/storage/block-tables.ts";
import { openBlockStore } from "../../src/storage/open-block-store.ts";
import { blockAfter, genesis, text } from "./block-fixtures.ts";
import { flipBit } from "./flip-bit.ts";

const root = mkdtempSync(join(tmpdir(), "block-repair-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let directories = 0;

function open(directory: string): Promise<BlockStore> {
  return openBlockStore({ directory, genesis, txWindow: 100, flushDelayMs: 1 });
}

/** Ten blocks with some of them damaged, and what was in them. */
async function damaged(
  heights: readonly number[],
  { prunedThrough = 0 } = {},
): Promise<{ store: BlockStore; blocks: readonly StoredBlock[]; directory: string }> {
  const directory = join(root, String(++directories));
  const store = await open(directory);
  const blocks: StoredBlock[] = [];
  for (let height = 1; height <= 10; height++) {
    const block = blockAfter(store.head, [`of block <${height}>`]);
    await store.append(block);
    blocks.push(block);
  }
  await store.flushed();
  if (prunedThrough > 0) await store.prune(prunedThrough);
  await store.close();
  for (const height of heights) {
    flipBit(join(directory, blockFileName), `transaction of block <${height}>`);
  }
  return { store: await open(directory), blocks, directory };
}

function at(blocks: readonly StoredBlock[], height: number): StoredBlock {
  const block = blocks[height - 1];
  if (block === undefined) throw new Error(`there is no block ${height}`);
  return block;
}

describe("a damaged block", () => {
  it("is an error that names its height and place, and is remembered", async () => {
    const { store, directory } = await damaged([5]);
    expect(store.damagedBlocks.size).toBe(0);
    expect(() => store.blockAt(5)).toThrow(
      expect.objectContaining({
        detail: { code: "BLOCK_DAMAGED", height: 5 },
        cause: expect.objectContaining({
          detail: {
            code: "STORAGE_CORRUPT",
            path: join(directory, blockFileName),
            database: "blocks",
            key: "5",
          },
        }),
      }),
    );
    expect(store.blockAt(6)?.height).toBe(6);
    expect([...store.damagedBlocks.keys()]).toEqual([5]);
    expect(store.damagedBlocks.get(5)).toContain("blocks 5 does not match its checksum");
    await store.close();
  });

  it.each([
    ["between two others", [5], 5, 4, 5],
    ["among damaged ones, of which it is found first", [4, 5, 6], 5, 3, 6],
    ["at the beginning of the chain", [1, 2], 2, 0, 2],
  ])("%s is proven by those around it", async (_where, heights, found, parent, target) => {
    const { store, blocks } = await damaged(heights);
    expect(() => store.blockAt(found)).toThrow("is damaged");
    const run = store.damagedRun();
    expect(run?.parent.height).toBe(parent);
    const parentHash = parent === 0 ? new Uint8Array() : at(blocks, parent).hash;
    expect(run?.parent.hash).toEqual(parentHash);
    const { hash, appHash } = at(blocks, target);
    expect(run?.target).toEqual({
      height: target,
      hash,
      appHash: at(blocks, target + 1).header.header.appHash,
    });
    expect(appHash).toEqual(run?.target.appHash);
    await store.close();
  });

  it("that has been pruned meanwhile is not restored", async () => {
    const { store, blocks } = await damaged([2]);
    expect(() => store.blockAt(2)).toThrow("is damaged");
    await store.prune(3);
    const { hash, header, data, appHash } = at(blocks, 2);
    await store.restore({ height: 2, hash, header, data }, appHash);
    expect(store.blockAt(2)).toBeNull();
    expect(store.damagedBlocks.size).toBe(0);
    await store.close();
  });

  it("is as it was once it is restored, also on disk", async () => {
    const { store, blocks, directory } = await damaged([4, 5]);
    expect(() => store.blockAt(4)).toThrow("is damaged");
    store.damagedRun();
    expect([...store.damagedBlocks.keys()]).toEqual([4, 5]);
    for (const height of [4, 5]) {
      const { hash, header, data, appHash } = at(blocks, height);
      await store.restore({ height, hash, header, data }, appHash);
    }
    const check = (of: BlockStore) => {
      for (const height of [4, 5]) {
        expect(of.blockAt(height)).toEqual({ ...at(blocks, height), raftIndex: 0, raftTerm: 0 });
        expect(of.heightOf(at(blocks, height).hash)).toBe(height);
        expect(of.txLocation(text(`of block <${height}>`))).toEqual({ height, index: 0 });
      }
      expect(of.damagedBlocks.size).toBe(0);
      expect(of.damagedRun()).toBeNull();
    };
    check(store);
    await store.close();
    const next = await open(directory);
    check(next);
    await next.close();
  });

  it("that is the head is proven by what the node knows of it, and keeps its place in the log", async () => {
    const directory = join(root, String(++directories));
    const store = await open(directory);
    for (let height = 1; height <= 3; height++) await store.append(blockAfter(store.head));
    await store.flushed();
    const head = store.blockAt(3);
    if (head === null) throw new Error("there is a head");
    await store.restore(head, head.appHash);
    expect(store.blockAt(3)).toEqual(head);
    const other = { ...head, hash: new Uint8Array(32).fill(9) };
    await expect(store.restore(other, head.appHash)).rejects.toThrow("a restored head is the same");
    await store.close();
  });

  it("at the bottom of a pruned chain has nothing to link to, and goes with the next pruning", async () => {
    const { store } = await damaged([6, 7], { prunedThrough: 5 });
    expect(() => store.blockAt(6)).toThrow("is damaged");
    expect(store.damagedRun()).toBeNull();
    expect(await store.prune(7)).toBe(2);
    expect(store.damagedBlocks.size).toBe(0);
    await store.close();
  });
});
