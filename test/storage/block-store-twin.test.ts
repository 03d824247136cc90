/** The LMDB block store and the simulator's do the same to any sequence of calls, restarts included. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import type { StoredBlock } from "../../src/block/types.ts";
import type { BlockStore } from "../../src/storage/block-store.ts";
import { genesisHead } from "../../src/storage/chain-head.ts";
import { StorageError } from "../../src/storage/errors.ts";
import { openBlockStore } from "../../src/storage/open-block-store.ts";
import { ChainDisk, SimulatedChainStore } from "../simulation/whole/chain-disk.ts";
import { blockAfter, genesis, text } from "./block-fixtures.ts";

const root = mkdtempSync(join(tmpdir(), "block-store-twin-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Step =
  | { readonly kind: "append"; readonly txs: number; readonly takesKept: boolean }
  | { readonly kind: "appendAgain" }
  | { readonly kind: "mark"; readonly ahead: number; readonly isOther: boolean }
  | { readonly kind: "markAhead"; readonly count: number }
  | { readonly kind: "keep"; readonly ofChain: boolean }
  | { readonly kind: "drop" }
  | { readonly kind: "beginLog" }
  | { readonly kind: "restart" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("append" as const),
    txs: fc.integer({ min: 0, max: 3 }),
    takesKept: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("appendAgain" as const) }),
  fc.record({
    kind: fc.constant("mark" as const),
    ahead: fc.integer({ min: -3, max: 3 }),
    isOther: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("markAhead" as const),
    count: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ kind: fc.constant("keep" as const), ofChain: fc.boolean() }),
  fc.record({ kind: fc.constant("drop" as const) }),
  fc.record({ kind: fc.constant("beginLog" as const) }),
  fc.record({ kind: fc.constant("restart" as const) }),
);

type Store = BlockStore | SimulatedChainStore;

/** What was made so far, the same for both stores. */
interface Story {
  readonly blocks: StoredBlock[];
  readonly kept: string[];
  made: number;
}

/** What `of` is for a store in this state; both are given the same. */
function callOf(of: Step, story: Story): (store: Store) => Promise<unknown> {
  const last = story.blocks.at(-1);
  const head = last === undefined ? genesisHead(genesis) : null;
  const name = (): string => `tx ${story.made++}`;
  switch (of.kind) {
    case "append": {
      const kept = of.takesKept ? story.kept.splice(0, 1) : [];
      const ids = [...kept, ...Array.from({ length: of.txs }, name)];
      let block: StoredBlock | null = null;
      return (store) => {
        block ??= blockAfter(head ?? store.head, ids);
        if (story.blocks.at(-1) !== block) story.blocks.push(block);
        return store.append(block);
      };
    }
    case "appendAgain":
      return async (store) => (last === undefined ? undefined : await store.append(last));
    case "mark": {
      const height = Math.max(1, story.blocks.length + of.ahead);
      const stored = story.blocks[height - 1]?.hash ?? new Uint8Array(32).fill(height);
      const hash = of.isOther ? new Uint8Array(32).fill(255) : stored;
      return (store) => store.setWatermark({ height, hash });
    }
    case "markAhead": {
      const marks = Array.from({ length: of.count }, (_, at) => {
        const height = story.blocks.length + 1 + at;
        return { height, hash: new Uint8Array(32).fill(height) };
      });
      return async (store) => store.markAhead(marks);
    }
    case "keep": {
      const id = of.ofChain ? last?.txIds[0] : undefined;
      const txId = id ?? text(name());
      if (id === undefined) story.kept.push(new TextDecoder().decode(txId));
      return (store) => store.keepTx(txId, text("bytes"));
    }
    case "drop": {
      const id = text(story.kept.pop() ?? "unknown");
      return async (store) => store.dropTx(id);
    }
    case "beginLog":
      return async (store) => store.beginLog();
    case "restart":
      return (store) => store.flushed();
  }
}

async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "done";
  } catch (error) {
    if (error instanceof StorageError) return error.code;
    if (error instanceof InvariantError) return "refused";
    throw error;
  }
}

/** Everything that can be read of a store. */
async function view(store: Store, { blocks, made }: Story): Promise<unknown> {
  const heights = Array.from({ length: blocks.length + 2 }, (_, height) => height);
  const recent: unknown[] = [];
  for await (const identities of store.recentTxIds(store.head.height)) recent.push(identities);
  return {
    head: store.head,
    earliest: store.earliestHeight,
    blocks: heights.map((height) => store.blockAt(height)),
    heights: blocks.map(({ hash }) => store.heightOf(hash)),
    unknown: store.heightOf(new Uint8Array(32).fill(9)),
    locations: Array.from({ length: made }, (_, at) => store.txLocation(text(`tx ${at}`))),
    recent,
  };
}

function simulated(disk: ChainDisk): SimulatedChainStore {
  const timing = { isRunning: () => true, written: (done: () => void) => queueMicrotask(done) };
  return new SimulatedChainStore(disk, genesisHead(genesis), timing);
}

describe("the LMDB block store and its twin in memory", () => {
  it("agree after every step", async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20 }), async (steps) => {
        const directory = join(root, String(++runs));
        const open = () => openBlockStore({ directory, genesis, txWindow: 1_000 });
        const disk = new ChainDisk();
        let lmdb = await open();
        let memory = simulated(disk);
        const story: Story = { blocks: [], kept: [], made: 0 };
        for (const of of steps) {
          const call = callOf(of, story);
          const outcomes = [await outcomeOf(call(lmdb)), await outcomeOf(call(memory))];
          expect(outcomes[0], of.kind).toBe(outcomes[1]);
          // A mark ahead may forbid the block that was to come.
          if (of.kind === "append" && outcomes[0] !== "done") story.blocks.pop();
          if (of.kind === "restart") {
            await lmdb.close();
            lmdb = await open();
            memory = simulated(disk);
            expect(lmdb.keptTxs()).toEqual(memory.keptTxs());
          }
          expect(await view(lmdb, story)).toEqual(await view(memory, story));
        }
        await lmdb.close();
        rmSync(directory, { recursive: true });
      }),
      { numRuns: 60 },
    );
  });
});

describe("a crash of the store in memory", () => {
  /** The store, and how it is told that what it writes is on disk. */
  function held(disk: ChainDisk) {
    const writing: (() => void)[] = [];
    const timing = { isRunning: () => true, written: (done: () => void) => writing.push(done) };
    return { store: new SimulatedChainStore(disk, genesisHead(genesis), timing), writing };
  }

  it.each([
    { isWritten: true, heights: [1] },
    { isWritten: false, heights: [] },
  ])(
    "keeps of what is being written all or nothing ($isWritten), and nothing of what waits",
    async ({ isWritten, heights }) => {
      const disk = new ChainDisk();
      const { store } = held(disk);
      await store.append(blockAfter(store.head));
      await store.append(blockAfter(store.head));
      void store.setWatermark({ height: 3, hash: new Uint8Array(32) });
      store.crash(isWritten);
      expect(disk.blocks.map(({ height }) => height)).toEqual(heights);
      expect(disk.marks).toEqual([]);
      expect(held(disk).store.head.height).toBe(heights.length);
    },
  );

  it("answers when the disk has it, and not before", async () => {
    const disk = new ChainDisk();
    const { store, writing } = held(disk);
    let isMarked = false;
    const mark = { height: 1, hash: new Uint8Array(32).fill(1) };
    const marked = store.setWatermark(mark).then(() => {
      isMarked = true;
    });
    await Promise.resolve();
    expect([isMarked, disk.marks.length]).toEqual([false, 0]);
    for (let done = writing.shift(); done !== undefined; done = writing.shift()) done();
    await marked;
    expect(disk.marks).toEqual([mark]);
  });
});
