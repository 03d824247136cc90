/** What every RaftStore does, whatever it is made of. */

import { describe, expect, it } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import type { Persist } from "../../src/raft/ready.ts";
import type { Entry, EntryKind, Snapshot } from "../../src/raft/types.ts";
import type { StorageError } from "../../src/storage/errors.ts";
import type { RaftStore } from "../../src/storage/raft-store.ts";
import { until } from "../e2e/harness/until.ts";

export interface RaftStoreHarness {
  open(): Promise<RaftStore>;
  /** Ends `store` in an orderly way and opens what it left. */
  reopen(store: RaftStore): Promise<RaftStore>;
  /** Lets everything given so far become durable. */
  settle(store: RaftStore): void;
}

export const nothing: Persist = {
  sequence: 1,
  hardState: null,
  snapshot: null,
  truncateFrom: null,
  entries: [],
};

export function entry(index: number, term: number, text = "", kind: EntryKind = "command"): Entry {
  const data = new TextEncoder().encode(text === "" ? `entry ${index}` : text);
  return { index, term, kind, data, extensions: null, appendedAt: null };
}

export function entriesOf(term: number, from: number, to: number): readonly Entry[] {
  return Array.from({ length: to - from + 1 }, (_, at) => entry(from + at, term));
}

export function snapshotAt(index: number, term: number, text = "state"): Snapshot {
  const servers = [{ id: "n1", address: "127.0.0.1:1", suffrage: "voter" as const }];
  const data = new TextEncoder().encode(text);
  return { last: { index, term }, configuration: { servers }, configurationIndex: 1, data };
}

/** Resolves with what `done` was called with. */
export function persisted(
  store: RaftStore,
  persist: Partial<Persist>,
): Promise<StorageError | null> {
  return new Promise((resolve) => store.persist({ ...nothing, ...persist }, resolve));
}

export function saved(store: RaftStore, snapshot: Snapshot): Promise<StorageError | null> {
  return new Promise((resolve) => store.saveSnapshot(snapshot, resolve));
}

export function compacted(store: RaftStore, index: number): Promise<StorageError | null> {
  return new Promise((resolve) => store.compactThrough(index, resolve));
}

export function describeRaftStore(name: string, harness: RaftStoreHarness): void {
  const write = async (store: RaftStore, persist: Partial<Persist>): Promise<void> => {
    const done = persisted(store, persist);
    harness.settle(store);
    expect(await done).toBeNull();
  };
  const save = async (store: RaftStore, snapshot: Snapshot): Promise<void> => {
    const done = saved(store, snapshot);
    while (!(await isSettled(done))) harness.settle(store);
    expect(await done).toBeNull();
  };
  const compact = async (store: RaftStore, index: number): Promise<void> => {
    const done = compacted(store, index);
    harness.settle(store);
    expect(await done).toBeNull();
  };
  const texts = (store: RaftStore): readonly string[] => {
    const { firstIndex, lastIndex } = store.log;
    if (firstIndex > lastIndex) return [];
    const entries = store.log.entries(firstIndex, lastIndex, Number.MAX_SAFE_INTEGER);
    return entries.map(({ data }) => new TextDecoder().decode(data ?? new Uint8Array()));
  };

  describe(`${name} keeps the contract of a Raft store`, () => {
    it("is empty when new, and not after a term, a vote or an entry", async () => {
      const store = await harness.open();
      expect(store.isEmpty).toBe(true);
      expect(store.hardState).toEqual({ currentTerm: 0, votedFor: null });
      const { firstIndex, lastIndex, snapshotLast } = store.log;
      expect({ firstIndex, lastIndex, snapshotLast }).toEqual({
        firstIndex: 1,
        lastIndex: 0,
        snapshotLast: { term: 0, index: 0 },
      });
      expect(store.log.snapshot()).toBeNull();
      expect(store.log.termAt(0)).toBeNull();
      await write(store, { hardState: { currentTerm: 1, votedFor: null } });
      expect(store.isEmpty).toBe(false);
      await store.close();
    });

    it("keeps term, vote, entries and incarnation through a restart", async () => {
      const store = await harness.open();
      const kinds: readonly EntryKind[] = [
        "configuration",
        "noop",
        "addPeer",
        "barrier",
        "command",
      ];
      const entries = kinds.map((kind, at) => entry(at + 1, 1 + Math.floor(at / 3), kind, kind));
      const odd: Entry = {
        index: 6,
        term: 2,
        kind: "command",
        data: null,
        extensions: new Uint8Array([1, 2]),
        appendedAt: new Uint8Array(15).fill(9),
      };
      await write(store, {
        hardState: { currentTerm: 2, votedFor: "n3" },
        entries: [...entries, odd],
      });
      const { incarnation } = store;
      const next = await harness.reopen(store);
      expect(next.hardState).toEqual({ currentTerm: 2, votedFor: "n3" });
      expect(next.incarnation).toEqual(incarnation);
      expect(next.isEmpty).toBe(false);
      const read = next.log.entries(1, 6, Number.MAX_SAFE_INTEGER);
      expect(read.map(comparable)).toEqual([...entries, odd].map(comparable));
      expect([1, 3, 4, 6, 7].map((index) => next.log.termAt(index))).toEqual([1, 1, 2, 2, null]);
      const configurations = next.log.configurationEntries().map(({ index }) => index);
      expect(configurations).toEqual([1, 3]);
      await next.close();
    });

    it("keeps what is to be regained through a restart, until it is (P6)", async () => {
      const store = await harness.open();
      expect(store.origin).toEqual({ baseHeight: 0, recovery: null });
      const recovery = { minTerm: 7, untilIndex: 90 };
      const hardState = { currentTerm: 7, votedFor: "n1" };
      await write(store, { hardState, origin: { baseHeight: 12, recovery } });
      const wiped = await harness.reopen(store);
      expect(wiped.origin).toEqual({ baseHeight: 12, recovery });
      expect(wiped.isEmpty).toBe(false);
      await write(wiped, {
        origin: { baseHeight: 12, recovery: null },
        entries: [entry(1, 1, "x")],
      });
      const whole = await harness.reopen(wiped);
      expect(whole.origin).toEqual({ baseHeight: 12, recovery: null });
      await whole.close();
    });

    it("cuts a range at maxBytes of payload, but gives one entry", async () => {
      const store = await harness.open();
      const big = "x".repeat(1000);
      await write(store, { entries: [entry(1, 1, big), entry(2, 1, big), entry(3, 1, big)] });
      expect(store.log.entries(1, 3, 1)).toHaveLength(1);
      expect(store.log.entries(1, 3, 2000)).toHaveLength(2);
      expect(store.log.entries(2, 3, 5000)).toHaveLength(2);
      expect(() => store.log.entries(4, 4, 1)).toThrow(InvariantError);
      await store.close();
    });

    it("shows a Persist in done and not before", async () => {
      const store = await harness.open();
      await write(store, { entries: entriesOf(1, 1, 3) });
      let lastInDone = 0;
      const done = new Promise<void>((resolve) => {
        store.persist({ ...nothing, entries: entriesOf(1, 4, 5) }, () => {
          lastInDone = store.log.lastIndex;
          expect(store.log.entries(4, 5, 1000)).toHaveLength(2);
          resolve();
        });
      });
      expect(store.log.lastIndex).toBe(3);
      harness.settle(store);
      await done;
      expect(lastInDone).toBe(5);
      await store.close();
    });

    it("answers Persists in order, each with what came before it", async () => {
      const store = await harness.open();
      const seen: [number, number][] = [];
      const all = Array.from({ length: 20 }, (_, at) => at + 1).map(
        (index) =>
          new Promise<void>((resolve) => {
            store.persist({ ...nothing, entries: [entry(index, 1)] }, (error) => {
              expect(error).toBeNull();
              seen.push([index, store.log.lastIndex]);
              resolve();
            });
          }),
      );
      harness.settle(store);
      await Promise.all(all);
      expect(seen.map(([index]) => index)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
      for (const [index, lastIndex] of seen) expect(lastIndex).toBeGreaterThanOrEqual(index);
      await store.close();
    });

    it("truncates and appends in one Persist", async () => {
      const store = await harness.open();
      await write(store, { entries: entriesOf(1, 1, 5) });
      const done = persisted(store, {
        hardState: { currentTerm: 3, votedFor: null },
        truncateFrom: 3,
        entries: [entry(3, 3, "new 3", "configuration")],
      });
      // Entry 3 of term 1 is going away: it is not answered any more.
      expect(store.log.lastIndex).toBe(2);
      expect(store.log.termAt(3)).toBeNull();
      harness.settle(store);
      expect(await done).toBeNull();
      const expected = ["entry 1", "entry 2", "new 3"];
      expect(texts(store)).toEqual(expected);
      const next = await harness.reopen(store);
      expect(texts(next)).toEqual(expected);
      expect([2, 3, 4].map((index) => next.log.termAt(index))).toEqual([1, 3, null]);
      expect(next.log.configurationEntries().map(({ index }) => index)).toEqual([3]);
      await next.close();
    });

    it("truncates what an earlier Persist under way appends", async () => {
      const store = await harness.open();
      await write(store, { entries: entriesOf(1, 1, 2) });
      const first = persisted(store, { entries: entriesOf(1, 3, 6) });
      const second = persisted(store, { truncateFrom: 2, entries: entriesOf(2, 2, 4) });
      expect(store.log.lastIndex).toBe(1);
      harness.settle(store);
      expect([await first, await second]).toEqual([null, null]);
      const next = await harness.reopen(store);
      expect(next.log.lastIndex).toBe(4);
      expect([1, 2, 4].map((index) => next.log.termAt(index))).toEqual([1, 2, 2]);
      await next.close();
    });

    it("replaces the log by a snapshot from the leader", async () => {
      const store = await harness.open();
      await write(store, { entries: entriesOf(1, 1, 5) });
      const snapshot = snapshotAt(100, 7, "from the leader");
      await write(store, {
        hardState: { currentTerm: 7, votedFor: null },
        snapshot,
        entries: [entry(101, 7)],
      });
      const next = await harness.reopen(store);
      expect(next.log.snapshotLast).toEqual({ term: 7, index: 100 });
      expect([next.log.firstIndex, next.log.lastIndex]).toEqual([101, 101]);
      const read = next.log.snapshot();
      expect(read?.configuration).toEqual(snapshot.configuration);
      expect(new TextDecoder().decode(read?.data)).toBe("from the leader");
      await write(next, { entries: [entry(102, 7)] });
      expect(next.log.termAt(102)).toBe(7);
      await next.close();
    });

    it("compacts without a gap where an own snapshot follows a leader's, and both wait for one write", async () => {
      const store = await harness.open();
      const before = persisted(store, { entries: [entry(1, 1, "x".repeat(8_000_000))] });
      const installed = persisted(store, { snapshot: snapshotAt(100, 1) });
      const appended = persisted(store, { entries: entriesOf(1, 101, 200) });
      const taken = saved(store, snapshotAt(150, 1));
      harness.settle(store);
      expect(await Promise.all([before, installed, appended])).toEqual([null, null, null]);
      harness.settle(store);
      expect(await taken).toBeNull();
      await compact(store, 140);
      await compact(store, 150);
      const next = await harness.reopen(store);
      expect([next.log.firstIndex, next.log.lastIndex]).toEqual([151, 200]);
      expect(next.log.snapshotLast.index).toBe(150);
      await next.close();
    });

    it("takes a snapshot as the whole state of an empty log", async () => {
      const store = await harness.open();
      await write(store, { snapshot: snapshotAt(50, 2) });
      const next = await harness.reopen(store);
      expect([next.log.firstIndex, next.log.lastIndex]).toEqual([51, 50]);
      await write(next, { entries: [entry(51, 2)] });
      expect(texts(next)).toEqual(["entry 51"]);
      await next.close();
    });

    it("compacts what its own snapshot covers, and nothing else", async () => {
      const store = await harness.open();
      await write(store, { entries: [...entriesOf(1, 1, 250), ...entriesOf(2, 251, 300)] });
      await expect(compacted(store, 200)).rejects.toThrow(InvariantError);
      await save(store, snapshotAt(260, 2));
      expect(store.log.firstIndex).toBe(1);
      await compact(store, 200);
      const next = await harness.reopen(store);
      expect([next.log.firstIndex, next.log.lastIndex]).toEqual([201, 300]);
      expect(next.log.snapshotLast).toEqual({ term: 2, index: 260 });
      expect([200, 201, 250, 251].map((index) => next.log.termAt(index))).toEqual([null, 1, 1, 2]);
      await compact(next, 260);
      expect(next.log.firstIndex).toBe(261);
      await write(next, { entries: [entry(301, 2)] });
      expect(texts(next)).toHaveLength(41);
      await next.close();
    });

    it("has a snapshot at hand soon after it was asked to prepare it", async () => {
      const store = await harness.open();
      expect(store.log.prepareSnapshot()).toBe(true);
      await write(store, { entries: entriesOf(1, 1, 100) });
      await save(store, snapshotAt(60, 1, "at 60"));
      expect(store.log.prepareSnapshot()).toBe(false);
      await until("the snapshot is read", () => store.log.prepareSnapshot());
      const read = store.log.snapshot();
      expect(read?.data).toEqual(snapshotAt(60, 1, "at 60").data);
      // As long as the log goes on from it, it serves: by the time a newer one is read there may be another.
      await save(store, snapshotAt(90, 1, "at 90"));
      await compact(store, 60);
      expect(store.log.prepareSnapshot()).toBe(true);
      expect(store.log.snapshot()).toMatchObject({ last: { index: 60 }, data: read?.data });
      await compact(store, 61);
      expect(store.log.prepareSnapshot()).toBe(false);
      await until("the snapshot is read", () => store.log.prepareSnapshot());
      expect(store.log.snapshot()?.last.index).toBe(90);
      await store.close();
    });

    it("ignores a snapshot older than the one it has", async () => {
      const store = await harness.open();
      await write(store, { snapshot: snapshotAt(50, 2) });
      await save(store, snapshotAt(40, 2));
      expect(store.log.snapshotLast.index).toBe(50);
      await store.close();
    });

    it("refuses a gap, a term that goes back and a second vote in one term", async () => {
      const store = await harness.open();
      await write(store, {
        hardState: { currentTerm: 5, votedFor: "n1" },
        entries: entriesOf(4, 1, 2),
      });
      const bad: readonly Partial<Persist>[] = [
        { entries: [entry(4, 4)] },
        { entries: [entry(3, 3)] },
        { hardState: { currentTerm: 4, votedFor: null } },
        { hardState: { currentTerm: 5, votedFor: "n2" } },
      ];
      for (const persist of bad) {
        expect(() => store.persist({ ...nothing, ...persist }, () => {})).toThrow(InvariantError);
      }
      await store.close();
    });

    it("fails calls after close", async () => {
      const store = await harness.open();
      await store.close();
      await store.close();
      const error = await persisted(store, { entries: [entry(1, 1)] });
      expect(error?.code).toBe("STORAGE_CLOSED");
    });
  });
}

/** Buffers and Uint8Arrays of the same bytes are the same entry. */
function comparable(of: Entry): unknown {
  const hex = (bytes: Uint8Array | null) =>
    bytes === null ? null : Buffer.from(bytes).toString("hex");
  return {
    ...of,
    data: hex(of.data),
    extensions: hex(of.extensions),
    appendedAt: hex(of.appendedAt),
  };
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  const turn = new Promise((resolve) => setImmediate(() => resolve(pending)));
  return (await Promise.race([promise.catch(() => null), turn])) !== pending;
}
