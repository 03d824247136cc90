/** How the store shares one writer among Persists and compaction. */

import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openRaftStore } from "../../src/storage/open-raft-store.ts";
import {
  compacted,
  entriesOf,
  entry,
  persisted,
  saved,
  snapshotAt,
} from "./raft-store-contract.ts";

const root = mkdtempSync(join(tmpdir(), "group-commit-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** LMDB counts transactions in its two meta pages. */
function transactionCount(directory: string): number {
  const bytes = readFileSync(join(directory, "raft.mdb"));
  return Number(
    [152, 4096 + 152]
      .map((at) => bytes.readBigUInt64LE(at))
      .sort()
      .at(-1),
  );
}

describe("the writer", () => {
  it("puts all that waits into one transaction, however many", async () => {
    const directory = join(root, "grouped");
    const store = await openRaftStore({ directory, allowVolatile: true });
    const before = transactionCount(directory);
    const writes = Array.from({ length: 500 }, (_, at) =>
      persisted(store, { entries: [entry(at + 1, 1)] }),
    );
    expect(new Set(await Promise.all(writes))).toEqual(new Set([null]));
    // The first goes alone, since nothing waits yet when it comes; the rest follows together.
    expect(transactionCount(directory) - before).toBeLessThanOrEqual(3);
    expect(store.log.lastIndex).toBe(500);
    await store.close();
  });

  it("bounds a transaction by the size of its entries", async () => {
    const directory = join(root, "bounded");
    const store = await openRaftStore({ directory, allowVolatile: true });
    const before = transactionCount(directory);
    const data = new Uint8Array(12 * 1024 * 1024);
    const writes = [1, 2, 3, 4, 5, 6].map((index) =>
      persisted(store, { entries: [{ ...entry(index, 1), data }] }),
    );
    await Promise.all(writes);
    expect(transactionCount(directory) - before).toBeGreaterThanOrEqual(3);
    await store.close();
  });

  it("lets a Persist pass a compaction under way", async () => {
    const directory = join(root, "compacting");
    const store = await openRaftStore({ directory, allowVolatile: true });
    await persisted(store, { entries: entriesOf(1, 1, 2_000) });
    await saved(store, snapshotAt(1_900, 1));
    const order: string[] = [];
    const compaction = compacted(store, 1_900).then(() => order.push("compacted"));
    expect(store.log.firstIndex).toBe(1_901);
    for (let index = 2_001; index <= 2_005; index++) {
      expect(await persisted(store, { entries: [entry(index, 1)] })).toBeNull();
      order.push("persisted");
    }
    await compaction;
    expect(order).toEqual([...Array.from({ length: 5 }, () => "persisted"), "compacted"]);
    await store.close();
    const next = await openRaftStore({ directory, allowVolatile: true });
    expect([next.log.firstIndex, next.log.lastIndex]).toEqual([1_901, 2_005]);
    await next.close();
  });

  it("finishes what was asked before it closes", async () => {
    const directory = join(root, "closing");
    const store = await openRaftStore({ directory, allowVolatile: true });
    const writes = [1, 2, 3].map((index) => persisted(store, { entries: [entry(index, 1)] }));
    await store.close();
    expect(await Promise.all(writes)).toEqual([null, null, null]);
    const next = await openRaftStore({ directory, allowVolatile: true });
    expect(next.log.lastIndex).toBe(3);
    await next.close();
  });

  it("goes on from where a crash ended a compaction, whatever was written meanwhile", async () => {
    const directory = join(root, "interrupted");
    const store = await openRaftStore({ directory, allowVolatile: true });
    await persisted(store, { entries: entriesOf(1, 1, 500) });
    await saved(store, snapshotAt(400, 1));
    const compaction = compacted(store, 300);
    // It passes all slices but the first, and writes where terms begin anew, for the shorter log.
    await persisted(store, { entries: entriesOf(2, 501, 502) });
    const crashed = join(root, "interrupted-and-crashed");
    cpSync(directory, crashed, { recursive: true });
    await compaction;
    await store.close();
    const next = await openRaftStore({ directory: crashed, allowVolatile: true });
    expect([next.log.firstIndex, next.log.lastIndex]).toEqual([301, 502]);
    await compacted(next, 400);
    await next.close();
    const last = await openRaftStore({ directory: crashed, allowVolatile: true });
    expect([last.log.firstIndex, last.log.lastIndex]).toEqual([401, 502]);
    expect([last.log.termAt(500), last.log.termAt(501)]).toEqual([1, 2]);
    await last.close();
  });

  it("compacts further after a restart", async () => {
    const directory = join(root, "resumed");
    const store = await openRaftStore({ directory, allowVolatile: true });
    await persisted(store, { entries: entriesOf(1, 1, 500) });
    await saved(store, snapshotAt(400, 1));
    await compacted(store, 100);
    await store.close();
    const next = await openRaftStore({ directory, allowVolatile: true });
    expect(next.log.firstIndex).toBe(101);
    await compacted(next, 300);
    expect(next.log.firstIndex).toBe(301);
    await next.close();
  });
});
