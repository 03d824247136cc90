import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import type { StoredBlock } from "../../src/block/types.ts";
import { resultsKept } from "../../src/execution/kv-store.ts";
import type { BlockStore } from "../../src/storage/block-store.ts";
import { StorageError } from "../../src/storage/errors.ts";
import { type BlockStoreOptions, openBlockStore } from "../../src/storage/open-block-store.ts";
import { SigningMarks } from "../../src/storage/signing-marks.ts";
import { blockAfter, genesis, text } from "./block-fixtures.ts";

const root = mkdtempSync(join(tmpdir(), "block-store-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let directories = 0;
const freshDirectory = () => join(root, String(++directories));

type Overrides = Partial<BlockStoreOptions>;

/** Flushes only when asked: what is lazy stays so until the test looks. */
function open(directory: string, overrides: Overrides = {}): Promise<BlockStore> {
  const flushDelayMs = 3_600_000;
  return openBlockStore({ directory, genesis, txWindow: 100, flushDelayMs, ...overrides });
}

async function appendTo(store: BlockStore, ids: readonly string[] = []): Promise<StoredBlock> {
  const block = blockAfter(store.head, ids);
  await store.append(block);
  return block;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  return error instanceof StorageError ? error.code : String(error);
}

describe("the block store", () => {
  it("begins where the genesis says", async () => {
    const store = await open(freshDirectory());
    expect(store.head).toMatchObject({ height: 0, timeNs: genesis.genesisTimeNs, raftIndex: 0 });
    expect(store.head.appHash).toEqual(genesis.appHash);
    expect(store.earliestHeight).toBeNull();
    expect(store.blockAt(0)).toBeNull();
    expect(store.watermark()).toBeNull();
    await store.close();
  });

  it("shows a block at once, and the disk has it when it says so", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    const blocks = [
      await appendTo(store, ["a", "b"]),
      await appendTo(store),
      await appendTo(store),
    ];
    const check = (of: BlockStore) => {
      for (const block of blocks) {
        expect(of.blockAt(block.height)).toEqual(block);
        expect(of.heightOf(block.hash)).toBe(block.height);
      }
      expect(of.head).toMatchObject({ height: 3, raftIndex: 13, raftTerm: 2 });
      expect(of.earliestHeight).toBe(1);
      expect(of.txLocation(text("b"))).toEqual({ height: 1, index: 1 });
      expect(of.txLocation(text("c"))).toBeNull();
      expect(of.heightOf(new Uint8Array(32))).toBeNull();
      expect([of.blockAt(0), of.blockAt(4), of.blockAt(1.5)]).toEqual([null, null, null]);
    };
    check(store);
    expect(store.flushedHeight).toBe(0);
    await store.flushed();
    expect(store.flushedHeight).toBe(3);
    check(store);
    const { head } = store;
    await store.close();
    const next = await open(directory);
    check(next);
    expect(next.head).toEqual(head);
    expect(next.flushedHeight).toBe(3);
    await next.close();
  });

  it("flushes a block by itself after the delay", async () => {
    const store = await open(freshDirectory(), { flushDelayMs: 1 });
    await appendTo(store);
    await expect.poll(() => store.flushedHeight).toBe(1);
    await store.close();
  });

  it("refuses a gap and a block that does not link to the head", async () => {
    const store = await open(freshDirectory());
    const first = await appendTo(store);
    const second = blockAfter(store.head);
    await expect(store.append(first)).rejects.toThrow(InvariantError);
    await expect(store.append({ ...second, height: 3 })).rejects.toThrow(InvariantError);
    const { header } = second.header;
    const astray = { ...second.header, header: { ...header, lastHeaderHash: new Uint8Array(32) } };
    await expect(store.append({ ...second, header: astray })).rejects.toThrow(InvariantError);
    await store.close();
  });

  it("refuses the blocks of another chain, and says which two", async () => {
    const directory = freshDirectory();
    await (await open(directory)).close();
    const foreign = { ...genesis, chainId: "other-chain", genesisHash: new Uint8Array(32).fill(9) };
    const refused = open(directory, { genesis: foreign });
    await expect(refused).rejects.toThrow(/blocks of chain test-chain .* runs chain other-chain/);
    expect(await codeOf(open(directory, { genesis: foreign }))).toBe("STORAGE_FOREIGN_CHAIN");
    const otherState = { ...genesis, appHash: new Uint8Array(32) };
    expect(await codeOf(open(directory, { genesis: otherState }))).toBe("STORAGE_FOREIGN_CHAIN");
    await (await open(directory)).close();
  });

  it("lets no more wait for the disk than an executor can answer for again", async () => {
    const store = await open(freshDirectory(), { flushDelayMs: 60_000 });
    let waitingMax = 0;
    for (let count = 0; count < 1_200; count++) {
      await appendTo(store, []);
      waitingMax = Math.max(waitingMax, store.head.height - store.flushedHeight);
    }
    expect(waitingMax).toBeGreaterThan(100);
    expect(waitingMax).toBeLessThan(resultsKept / 2);
    await store.close();
  });

  it("takes blocks much faster than one fsync each", async () => {
    const store = await open(freshDirectory(), { flushDelayMs: 1 });
    for (let count = 0; count < 500; count++) await appendTo(store, [`tx ${count}`]);
    await store.flushed();
    expect(store.flushedHeight).toBe(500);
    await store.close();
  });

  it("refuses a second process, and calls after close", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    expect(await codeOf(open(directory))).toBe("STORAGE_LOCKED");
    await store.close();
    await store.close();
    expect(await codeOf(appendTo(store))).toBe("STORAGE_CLOSED");
    expect(await codeOf(store.flushed())).toBe("STORAGE_CLOSED");
  });
});

describe("P4: a height is signed once", () => {
  it("keeps the watermark through a restart", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    const block = blockAfter(store.head);
    await store.setWatermark({ height: 1, hash: block.hash });
    await store.setWatermark({ height: 1, hash: block.hash });
    await store.close();
    const next = await open(directory);
    expect(next.watermark()).toEqual({ height: 1, hash: block.hash });
    const other = new Uint8Array(32).fill(7);
    expect(await codeOf(next.setWatermark({ height: 1, hash: other }))).toBe("STORAGE_DOUBLE_SIGN");
    expect(await codeOf(next.append({ ...block, hash: other }))).toBe("STORAGE_DOUBLE_SIGN");
    await next.append(block);
    expect(await codeOf(next.setWatermark({ height: 1, hash: other }))).toBe("STORAGE_DOUBLE_SIGN");
    await next.close();
  });

  it("answers at once for a mark that is on disk, and waits for one that is on its way", async () => {
    let writes = 0;
    const disk = { began: () => writes++, ended: () => {} };
    const store = await open(freshDirectory(), { disk });
    const before = writes;
    const mark = { height: 1, hash: blockAfter(store.head).hash };
    let isFirstDone = false;
    const first = store.setWatermark(mark).then(() => {
      isFirstDone = true;
    });
    await store.setWatermark(mark);
    expect(isFirstDone).toBe(true);
    await first;
    const after = writes;
    await store.setWatermark(mark);
    expect([after > before, writes]).toEqual([true, after]);
    await store.close();
  });

  it("writes the blocks before along with the mark, in one transaction", async () => {
    const store = await open(freshDirectory());
    await appendTo(store);
    expect(store.flushedHeight).toBe(0);
    await store.setWatermark({ height: 2, hash: blockAfter(store.head).hash });
    expect(store.flushedHeight).toBe(1);
    await store.close();
  });

  it("signs an old height again with the stored hash only", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    const blocks: StoredBlock[] = [];
    for (let count = 0; count < 3; count++) {
      const block = blockAfter(store.head);
      await store.setWatermark({ height: block.height, hash: block.hash });
      await store.append(block);
      blocks.push(block);
    }
    await store.close();
    const next = await open(directory);
    const hash = blocks[0]?.hash ?? new Uint8Array();
    await next.setWatermark({ height: 1, hash });
    expect(next.watermark()?.height).toBe(3);
    const refused = next.setWatermark({ height: 2, hash });
    await expect(refused).rejects.toThrow(/Refused to sign block 0x.* at height 2/);
    await next.close();
  });

  it("does not sign below the watermark what it cannot compare", () => {
    const hash = new Uint8Array(32).fill(1);
    const marks = new SigningMarks([{ height: 3, hash }]);
    expect(() => marks.check({ height: 2, hash }, null)).toThrow(StorageError);
    expect(marks.watermark).toEqual({ height: 3, hash });
  });

  it("has no gap in its marks, as the block of a height without one could never be stored", async () => {
    const store = await open(freshDirectory());
    const hash = new Uint8Array(32).fill(1);
    expect(() => store.markAhead([{ height: 2, hash }])).toThrow(InvariantError);
    store.markAhead([
      { height: 1, hash },
      { height: 2, hash },
    ]);
    await expect(store.setWatermark({ height: 4, hash })).rejects.toThrow(InvariantError);
    await store.setWatermark({ height: 3, hash });
    expect(store.watermark()).toEqual({ height: 3, hash });
    await store.close();
  });

  it("marks many heights ahead, as catch-up does", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    const hashes = Array.from({ length: 50 }, (_, at) => new Uint8Array(32).fill(at + 1));
    await Promise.all(hashes.map((hash, at) => store.setWatermark({ height: at + 1, hash })));
    await store.close();
    const next = await open(directory);
    expect(next.watermark()?.height).toBe(50);
    const wrong = next.setWatermark({ height: 20, hash: new Uint8Array(32) });
    expect(await codeOf(wrong)).toBe("STORAGE_DOUBLE_SIGN");
    await next.close();
  });
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

describe("P7: identities of recent transactions", () => {
  it("are known within the window and not beyond, whatever was flushed", async () => {
    const directory = freshDirectory();
    const store = await open(directory, { txWindow: 3 });
    for (let count = 1; count <= 5; count++) await appendTo(store, [`tx ${count}`]);
    const known = (of: BlockStore) =>
      [1, 2, 3, 4, 5].map((count) => of.txLocation(text(`tx ${count}`))?.height ?? null);
    expect(known(store)).toEqual([null, null, 3, 4, 5]);
    await store.flushed();
    expect(known(store)).toEqual([null, null, 3, 4, 5]);
    const recent = await collect(store.recentTxIds(5));
    expect(await collect(store.recentTxIds(5, 5))).toEqual(
      recent.filter(({ height }) => height >= 5),
    );
    expect(store.identifiedFrom).toBe(3);
    expect(recent.map(({ height }) => height)).toEqual([3, 4, 5]);
    await store.close();
    const next = await open(directory, { txWindow: 3 });
    expect(known(next)).toEqual([null, null, 3, 4, 5]);
    // Out of the window, an identity may come back, and the old place must not take the new one along.
    await appendTo(next, ["tx 1", "tx 3"]);
    await appendTo(next);
    expect(next.txLocation(text("tx 3"))).toEqual({ height: 6, index: 1 });
    expect(next.txLocation(text("tx 1"))).toEqual({ height: 6, index: 0 });
    await next.close();
  });

  it("are removed bit by bit after the window was made smaller", async () => {
    const directory = freshDirectory();
    const store = await open(directory, { txWindow: 1000 });
    for (let count = 1; count <= 40; count++) await appendTo(store, [`tx ${count}`]);
    await store.close();
    const next = await open(directory, { txWindow: 2 });
    expect(next.txLocation(text("tx 38"))).toBeNull();
    expect(next.txLocation(text("tx 39"))?.height).toBe(39);
    for (let count = 41; count <= 60; count++) await appendTo(next, [`tx ${count}`]);
    const recent = await collect(next.recentTxIds(60));
    expect(recent.map(({ height }) => height)).toEqual([59, 60]);
    await next.close();
  });

  it("stay as long as a snapshot reads them, though blocks go on, and go when it has", async () => {
    const store = await open(freshDirectory(), { txWindow: 2 });
    for (let count = 1; count <= 4; count++) await appendTo(store, [`tx ${count}`]);
    await store.flushed();
    const listing = store.recentTxIds(4);
    const first = await listing.next();
    // One identity comes back meanwhile, in another block than the snapshot's.
    for (const id of ["tx 5", "tx 6", "tx 3", "tx 8"]) await appendTo(store, [id]);
    const rest = await collect(listing);
    expect([first.value, ...rest]).toEqual([
      { height: 3, txIds: [text("tx 3")] },
      { height: 4, txIds: [text("tx 4")] },
    ]);
    for (let count = 9; count <= 12; count++) await appendTo(store, [`tx ${count}`]);
    expect(await collect(store.recentTxIds(4))).toEqual([]);
    await store.close();
  });
});

describe("what a backfill has proven", () => {
  const anchors = [30, 20, 10].map((height) => ({ height, hash: new Uint8Array(32).fill(height) }));

  it("is there after a restart, until the backfill ends", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    expect(store.backfillProgress()).toBeNull();
    await store.saveBackfillProgress({ anchors: anchors.slice(0, 1) });
    await store.saveBackfillProgress({ anchors });
    await store.close();
    const next = await open(directory);
    expect(next.backfillProgress()).toEqual({ anchors });
    await next.saveBackfillProgress({ anchors: [] });
    expect(next.backfillProgress()).toBeNull();
    await next.close();
  });

  it("is refused if it does not descend, as no backfill writes it", async () => {
    const store = await open(freshDirectory());
    await store.saveBackfillProgress({ anchors: anchors.toReversed() });
    expect(() => store.backfillProgress()).toThrow(/meta backfill does not descend/);
    await store.close();
  });
});

describe("transactions accepted and kept", () => {
  it("survive a restart in order, until they are in a block or dropped", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    for (const id of ["c", "a", "b", "d"]) await store.keepTx(text(id), text(`bytes of ${id}`));
    await store.keepTx(text("a"), text("bytes of a"));
    expect(store.keptTxCount).toBe(4);
    await appendTo(store, ["a"]);
    await store.keepTx(text("a"), text("bytes of a"));
    store.dropTx(text("d"));
    store.dropTx(text("unknown"));
    await store.close();
    const next = await open(directory);
    const kept = next.keptTxs().map(({ txId }) => new TextDecoder().decode(txId));
    expect(kept).toEqual(["c", "b"]);
    expect(next.keptTxs()[0]?.tx).toEqual(text("bytes of c"));
    await next.close();
  });
});
