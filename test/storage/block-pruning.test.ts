/** Old blocks are removed whole, with everything by which they were found, and a crash loses none of the others. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import type { BlockStore } from "../../src/storage/block-store.ts";
import { blockFileName, blockTableNames, blockTables } from "../../src/storage/block-tables.ts";
import { Environment } from "../../src/storage/environment.ts";
import { type BlockStoreOptions, openBlockStore } from "../../src/storage/open-block-store.ts";
import { blockAfter, genesis, text } from "./block-fixtures.ts";
import { childScript, startChild } from "./child-process.ts";
import { flipBit } from "./flip-bit.ts";

const root = mkdtempSync(join(tmpdir(), "block-pruning-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let directories = 0;
const freshDirectory = () => join(root, String(++directories));

/** Flushes only when asked. */
function open(directory: string, options: Partial<BlockStoreOptions> = {}): Promise<BlockStore> {
  return openBlockStore({ directory, genesis, txWindow: 5, flushDelayMs: 3_600_000, ...options });
}

async function appendTo(store: BlockStore, count: number): Promise<void> {
  for (let nth = 0; nth < count; nth++) {
    await store.append(blockAfter(store.head, [`tx ${store.head.height + 1}`]));
  }
}

/** Entries in the tables of a closed store. */
async function tableSizes(directory: string): Promise<{ blocks: number; hashes: number }> {
  const environment = new Environment({
    directory,
    fileName: blockFileName,
    tables: blockTableNames,
    space: { fileMaxBytes: 2 ** 40, freeMinBytes: 0 },
  });
  const { blocks, hashes } = blockTables(environment);
  const sizes = { blocks: blocks.size, hashes: hashes.size };
  await environment.close();
  return sizes;
}

async function pruneAll(store: BlockStore, through: number): Promise<number[]> {
  const slices: number[] = [];
  for (;;) {
    const removed = await store.prune(through);
    if (removed === 0) return slices;
    slices.push(removed);
  }
}

describe("pruning", () => {
  it("removes blocks and their hashes in slices, for readers at once and on disk for good", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    await appendTo(store, 200);
    await store.flushed();
    const hashes = [1, 150, 151].map((height) => store.blockAt(height)?.hash ?? text(""));
    const slice = store.prune(150);
    expect(store.earliestHeight).toBe(65);
    expect([store.blockAt(64), store.heightOf(hashes[0] ?? text(""))]).toEqual([null, null]);
    expect(await slice).toBe(64);
    expect(await pruneAll(store, 150)).toEqual([64, 22]);
    const check = (of: BlockStore) => {
      expect(of.earliestHeight).toBe(151);
      expect([of.blockAt(150), of.blockAt(151)?.height]).toEqual([null, 151]);
      expect(hashes.map((hash) => of.heightOf(hash))).toEqual([null, null, 151]);
      expect(of.head.height).toBe(200);
    };
    check(store);
    await store.close();
    expect(await tableSizes(directory)).toEqual({ blocks: 50, hashes: 50 });
    const next = await open(directory);
    check(next);
    await appendTo(next, 1);
    expect(next.head.height).toBe(201);
    await next.close();
  });

  it("leaves the last block on disk, and all that are not yet there", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    expect(await store.prune(10)).toBe(0);
    await appendTo(store, 10);
    await store.flushed();
    await appendTo(store, 5);
    expect(await store.prune(15)).toBe(9);
    expect(store.earliestHeight).toBe(10);
    expect(await store.prune(15)).toBe(5);
    expect(store.earliestHeight).toBe(15);
    await store.close();
    const next = await open(directory);
    expect([next.earliestHeight, next.head.height]).toEqual([15, 15]);
    await next.close();
  });

  it("keeps to few bytes at a time, so that whoever waits for the disk does not wait for this", async () => {
    const store = await open(freshDirectory());
    for (let height = 1; height <= 9; height++) {
      const txs = [new Uint8Array(1_500_000).fill(height)];
      await store.append({ ...blockAfter(store.head), data: { metadata: null, txs } });
    }
    await store.flushed();
    expect(await pruneAll(store, 9)).toEqual([2, 2, 2, 2]);
    await store.close();
  });

  it("removes a damaged block too, and what leads to it", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    await appendTo(store, 30);
    await store.close();
    const path = join(directory, blockFileName);
    flipBit(path, "transaction tx 7");
    const next = await open(directory);
    expect(() => next.blockAt(7)).toThrow("Block 7 is damaged");
    expect(await pruneAll(next, 20)).toEqual([20]);
    await next.close();
    expect(await tableSizes(directory)).toEqual({ blocks: 10, hashes: 10 });
  });

  it("leaves a whole chain behind when it is killed at any moment", async () => {
    const directory = freshDirectory();
    for (let round = 0; round < 8; round++) {
      const child = startChild(process.execPath, [childScript("prune-blocks.ts"), directory, "30"]);
      await child.sees("pruning");
      await setTimeout(round * 7);
      await child.kill();
      const store = await open(directory);
      const { earliestHeight, head } = store;
      expect(earliestHeight).not.toBeNull();
      for (let height = earliestHeight ?? 0; height <= head.height; height++) {
        const block = store.blockAt(height);
        expect(block?.height).toBe(height);
        expect(store.heightOf(block?.hash ?? text(""))).toBe(height);
      }
      await store.close();
      const { blocks, hashes } = await tableSizes(directory);
      expect(hashes).toBe(blocks);
    }
  });
});
