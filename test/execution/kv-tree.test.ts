import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defined } from "../../src/base/assert.ts";
import { toHex } from "../../src/base/bytes.ts";
import { emptyRoot, leafOf, type TreeStore, updateTree } from "../../src/execution/kv-tree.ts";
import { slowRoot } from "./slow-root.ts";

class MemoryTree implements TreeStore {
  readonly nodes = new Map<string, Uint8Array>();
  reads = 0;
  writes = 0;

  read(place: Uint8Array): Uint8Array {
    this.reads++;
    return defined(this.nodes.get(toHex(place)), "the tree names only what was written");
  }

  write(place: Uint8Array, node: Uint8Array): void {
    this.writes++;
    this.nodes.set(toHex(place), node);
  }
}

function update(store: TreeStore, root: Uint8Array, changes: Iterable<[string, string]>) {
  const leaves = [...changes].map(([key, value]) => leafOf(Buffer.from(key), Buffer.from(value)));
  return updateTree(store, root, leaves);
}

describe("the tree over the state", () => {
  it("is empty before the first key", () => {
    expect(emptyRoot).toEqual(slowRoot(new Map()));
    // Fixed for ever: the first block's header names it.
    expect(toHex(emptyRoot)).toBe(
      "fb50dc0717ff266cf9baf82b1ce7a1c2ef6d9247859680b11a19fb7077f5f222",
    );
    expect(updateTree(new MemoryTree(), emptyRoot, [])).toBe(emptyRoot);
  });

  it("has the root of its slow twin after every block", () => {
    const key = fc.integer({ min: 0, max: 200 }).map((number) => `key-${number}`);
    const block = fc.dictionary(key, fc.string({ maxLength: 5 }), { maxKeys: 30 });
    fc.assert(
      fc.property(fc.array(block, { maxLength: 8 }), (blocks) => {
        const store = new MemoryTree();
        const state = new Map<string, string>();
        let root = emptyRoot;
        for (const changes of blocks) {
          root = update(store, root, Object.entries(changes));
          for (const [changed, value] of Object.entries(changes)) state.set(changed, value);
          expect(root).toEqual(slowRoot(state));
        }
      }),
      { seed: 17, numRuns: 60 },
    );
  });

  it("does not depend on the order of keys, nor on the blocks they came in", () => {
    const entries = Array.from({ length: 500 }, (_, at): [string, string] => [`k${at}`, `v${at}`]);
    const atOnce = update(new MemoryTree(), emptyRoot, entries);
    const store = new MemoryTree();
    let root = emptyRoot;
    for (const entry of entries.toReversed()) root = update(store, root, [entry]);
    expect(root).toEqual(atOnce);
    expect(root).toEqual(slowRoot(new Map(entries)));
  });

  it("keys whose hashes begin alike for many digits", () => {
    // Places are made up, since keys with such hashes are hard to find.
    const hashed = (end: number) => new Uint8Array(32).fill(0xab, 0, 31).fill(end, 31);
    const leaves = [0x10, 0x11, 0x20].map((end) => ({
      keyHash: hashed(end),
      hash: new Uint8Array(32).fill(end),
    }));
    const atOnce = updateTree(new MemoryTree(), emptyRoot, leaves);
    const store = new MemoryTree();
    let root = emptyRoot;
    for (const leaf of leaves) root = updateTree(store, root, [leaf]);
    expect(root).toEqual(atOnce);
    expect(store.nodes.size).toBe(64);
  });

  it("changing a key of many costs the nodes on its way", () => {
    const store = new MemoryTree();
    const entries = Array.from({ length: 20_000 }, (_, at): [string, string] => [`k${at}`, "v"]);
    const root = update(store, emptyRoot, entries);
    store.reads = 0;
    store.writes = 0;
    update(store, root, [["k777", "changed"]]);
    // log16(20,000) is 3.6; a key that has a neighbour goes a little deeper.
    expect(store.reads).toBeLessThanOrEqual(7);
    expect(store.writes).toBe(store.reads);
  });
});
