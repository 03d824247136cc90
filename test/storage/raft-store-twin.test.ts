/** The LMDB store and the simulator's do the same to any sequence of writes, restarts included. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Persist } from "../../src/raft/ready.ts";
import { openRaftStore } from "../../src/storage/open-raft-store.ts";
import type { RaftStore } from "../../src/storage/raft-store.ts";
import { MemoryRaftStore } from "../simulation/memory-raft-store.ts";
import { compacted, entry, persisted, saved, snapshotAt } from "./raft-store-contract.ts";

const root = mkdtempSync(join(tmpdir(), "raft-store-twin-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Step =
  | { readonly kind: "append"; readonly count: number; readonly newTerm: boolean }
  | { readonly kind: "rewrite"; readonly back: number; readonly count: number }
  | { readonly kind: "install"; readonly ahead: number }
  | { readonly kind: "snapshot"; readonly back: number; readonly trailing: number }
  | { readonly kind: "restart" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("append" as const),
    count: fc.integer({ min: 1, max: 6 }),
    newTerm: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("rewrite" as const),
    back: fc.integer({ min: 0, max: 5 }),
    count: fc.integer({ min: 0, max: 4 }),
  }),
  fc.record({ kind: fc.constant("install" as const), ahead: fc.integer({ min: 1, max: 20 }) }),
  fc.record({
    kind: fc.constant("snapshot" as const),
    back: fc.integer({ min: 0, max: 4 }),
    trailing: fc.integer({ min: 0, max: 4 }),
  }),
  fc.record({ kind: fc.constant("restart" as const) }),
);

/** Everything that can be read of a store. */
function view(store: RaftStore): unknown {
  const { log, hardState, isEmpty } = store;
  const { firstIndex, lastIndex, snapshotLast } = log;
  const entries = firstIndex > lastIndex ? [] : log.entries(firstIndex, lastIndex, 1e9);
  return {
    hardState,
    isEmpty,
    bounds: [firstIndex, lastIndex, snapshotLast],
    entries,
    terms: entries.map(({ index }) => log.termAt(index)),
    configurations: log.configurationEntries().map(({ index }) => index),
    snapshot: log.snapshot(),
  };
}

/** The Persist that `step` is for a store in this state; null for steps of another kind. */
function persistOf(of: Step, { log, hardState }: RaftStore): Partial<Persist> | null {
  const term = hardState.currentTerm;
  const made = (from: number, count: number, entryTerm: number) =>
    Array.from({ length: count }, (_, at) =>
      entry(
        from + at,
        entryTerm,
        `${entryTerm}/${from + at}`,
        at % 3 === 1 ? "configuration" : "command",
      ),
    );
  switch (of.kind) {
    case "append": {
      const next = Math.max(1, of.newTerm ? term + 1 : term);
      const votes = next > term ? { currentTerm: next, votedFor: `n${next % 3}` } : null;
      return { hardState: votes, entries: made(log.lastIndex + 1, of.count, next) };
    }
    case "rewrite": {
      const from = Math.max(log.firstIndex, log.snapshotLast.index + 1, log.lastIndex - of.back);
      const hard = { currentTerm: term + 1, votedFor: null };
      return { hardState: hard, truncateFrom: from, entries: made(from, of.count, term + 1) };
    }
    case "install": {
      const index = Math.max(log.lastIndex, log.snapshotLast.index) + of.ahead;
      const hard = { currentTerm: term + 1, votedFor: null };
      return { hardState: hard, snapshot: snapshotAt(index, term + 1, `installed ${index}`) };
    }
    default:
      return null;
  }
}

describe("the LMDB store and its twin in memory", () => {
  it("agree after every step", async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 15 }), async (steps) => {
        const directory = join(root, String(++runs));
        const open = () => openRaftStore({ directory, allowVolatile: true });
        let lmdb = await open();
        let memory = new MemoryRaftStore(lmdb.incarnation);
        for (const of of steps) {
          const persist = persistOf(of, lmdb);
          if (persist !== null) {
            const both = [persisted(lmdb, persist), persisted(memory, persist)];
            memory.flush();
            expect(await Promise.all(both)).toEqual([null, null]);
          } else if (of.kind === "snapshot") {
            const index = lmdb.log.lastIndex - of.back;
            const term = lmdb.log.termAt(index);
            if (term !== null) {
              const saving = [lmdb, memory].map((store) => saved(store, snapshotAt(index, term)));
              memory.flush();
              await Promise.all(saving);
            }
            const through = lmdb.log.snapshotLast.index - of.trailing;
            const compacting = [lmdb, memory].map((store) => compacted(store, through));
            memory.flush();
            await Promise.all(compacting);
          } else {
            await lmdb.close();
            lmdb = await open();
            memory = memory.crash();
          }
          expect(view(lmdb)).toEqual(view(memory));
        }
        await lmdb.close();
        rmSync(directory, { recursive: true });
      }),
      { numRuns: 40 },
    );
  });
});

describe("a crash of the store in memory", () => {
  it("keeps what was flushed, and answers nothing else", async () => {
    const store = new MemoryRaftStore(new Uint8Array([7]));
    const answers: number[] = [];
    for (const index of [1, 2, 3]) {
      void persisted(store, { entries: [entry(index, 1)] }).then(() => answers.push(index));
    }
    expect(store.unflushedCount).toBe(3);
    expect(store.log.lastIndex).toBe(0);
    store.flush(2);
    const next = store.crash();
    await Promise.resolve();
    expect(answers).toEqual([1, 2]);
    expect(next.log.lastIndex).toBe(2);
    expect(next.incarnation).toEqual(new Uint8Array([7]));
    next.fail();
    expect((await persisted(next, { entries: [entry(3, 1)] }))?.code).toBe("STORAGE_IO");
  });

  it("a copy goes its own way", async () => {
    const store = new MemoryRaftStore(new Uint8Array(16));
    const copy = store.copy();
    void persisted(store, { entries: [entry(1, 1)] });
    store.flush();
    expect([store.log.lastIndex, copy.log.lastIndex]).toEqual([1, 0]);
  });
});
