/** What pruning leaves: as many blocks as asked for, and more where a restart or a member that lags needs them. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { type PrunedBlocks, Pruner, type PrunerDependencies } from "../../src/sequencer/pruner.ts";
import type { BlockStore } from "../../src/storage/block-store.ts";
import { openBlockStore } from "../../src/storage/open-block-store.ts";
import { blockAfter, genesis } from "../storage/block-fixtures.ts";
import { until } from "./fixtures.ts";

const root = mkdtempSync(join(tmpdir(), "pruner-"));
const stores: BlockStore[] = [];
afterAll(async () => {
  for (const store of stores) await store.close();
  rmSync(root, { recursive: true, force: true });
});

/** Blocks 1 to 300, whose entries have the indexes 11 to 310. */
async function chainOf300(): Promise<BlockStore> {
  const directory = join(root, String(stores.length));
  const store = await openBlockStore({ directory, genesis, txWindow: 100 });
  stores.push(store);
  for (let nth = 0; nth < 300; nth++) await store.append(blockAfter(store.head));
  await store.flushed();
  return store;
}

interface Bounds {
  readonly keepRecent: number;
  readonly executed: number;
  readonly firstLogIndex: number | null;
}

/** Prunes until `pruned` says that a run is over; then what is left. */
async function earliestAfter(
  { keepRecent, executed, firstLogIndex }: Bounds,
  overrides: Partial<PrunerDependencies> = {},
): Promise<number | null> {
  const store = await chainOf300();
  let runs = 0;
  const pruner = new Pruner(
    { keepRecent, intervalMs: 1 },
    {
      store,
      executedHeight: async () => executed,
      firstLogIndex: async () => {
        runs++;
        return firstLogIndex;
      },
      onPruned: () => {},
      onFailure: (_name, error) => {
        throw error;
      },
      ...overrides,
    },
  );
  pruner.start();
  // The second run begins when the first has removed all it may.
  await until(() => runs > 1);
  await pruner.stop();
  return store.earliestHeight;
}

it.each([
  ["as many blocks as asked for", { keepRecent: 20, executed: 300, firstLogIndex: 311 }, 281],
  ["the head, if only one is asked for", { keepRecent: 1, executed: 301, firstLogIndex: 311 }, 300],
  [
    "the blocks of all entries in the log, and the one before: the snapshot may end in it",
    { keepRecent: 20, executed: 300, firstLogIndex: 211 },
    200,
  ],
  [
    "what the executor has not on its disk, and the block at its head",
    { keepRecent: 20, executed: 150, firstLogIndex: 311 },
    150,
  ],
  [
    "everything while the executor has nothing",
    { keepRecent: 20, executed: 0, firstLogIndex: 311 },
    1,
  ],
  [
    "everything while the log is not known",
    { keepRecent: 20, executed: 300, firstLogIndex: null },
    1,
  ],
  [
    "everything of a chain that is shorter",
    { keepRecent: 900, executed: 300, firstLogIndex: 311 },
    1,
  ],
])("keeps %s", async (_rule, bounds: Bounds, earliest) => {
  expect(await earliestAfter(bounds)).toBe(earliest);
});

it("says once what a run removed, and nothing of one that removed nothing", async () => {
  const told: PrunedBlocks[] = [];
  const bounds = { keepRecent: 20, executed: 300, firstLogIndex: 311 };
  await earliestAfter(bounds, { onPruned: (pruned) => told.push(pruned) });
  expect(told).toEqual([{ removed: 280, earliest: 281, latest: 300 }]);
});

it("reports a store that fails, and goes no further", async () => {
  const store = await chainOf300();
  const failures: unknown[] = [];
  const pruner = new Pruner(
    { keepRecent: 20, intervalMs: 1 },
    {
      store,
      executedHeight: async () => 300,
      firstLogIndex: async () => 311,
      onPruned: () => {},
      onFailure: (name, error) => failures.push([name, error]),
    },
  );
  await store.close();
  pruner.start();
  await until(() => failures.length > 0);
  await pruner.stop();
  expect(failures).toEqual([["pruning", expect.objectContaining({ code: "STORAGE_CLOSED" })]]);
});
