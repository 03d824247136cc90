/**
 * Where the transactions of recent blocks are, by identity (P7): heights above `head - window`. What is
 * older is not answered, though it is removed only bit by bit.
 */
import { assert } from "../base/assert.ts";
import { toHex } from "../base/bytes.ts";
import { txIdMaxBytes } from "../block/limits.ts";
import type { Height, TxLocation } from "../block/types.ts";
import {
  decodeIds,
  decodeLocation,
  encodeHeight,
  encodeIds,
  encodeLocation,
} from "./block-codec.ts";
import { type BlockTables, prunedThroughKey } from "./block-tables.ts";
import { numberKey, textKey } from "./keys.ts";
import type { WriteSet } from "./write-set.ts";

/** The identities of one block's transactions, in order. */
export interface TxIdsAt {
  readonly height: Height;
  readonly txIds: readonly Uint8Array[];
}

/** Heights whose identities one block may remove: after the window was made smaller, more are due. */
const prunedPerBlockMax = 4;

export class TxIndex {
  readonly #tables: BlockTables;
  readonly #window: number;
  /** Located, and not yet in the tables. */
  readonly #pending = new Map<string, TxLocation>();
  readonly #pendingIds = new Map<Height, readonly Uint8Array[]>();
  /** Heads whose windows are being listed. */
  readonly #held: Height[] = [];
  #prunedThrough: Height;

  constructor(tables: BlockTables, options: { window: number; prunedThrough: Height }) {
    assert(options.window >= 1, "the window holds a block", { window: options.window });
    this.#tables = tables;
    this.#window = options.window;
    this.#prunedThrough = options.prunedThrough;
  }

  /** Null if it is unknown, or older than the window below `head`. */
  locate(txId: Uint8Array, head: Height): TxLocation | null {
    if (txId.length === 0 || txId.length > txIdMaxBytes) return null;
    const location = this.#find(txId);
    return location !== null && location.height > head - this.#window ? location : null;
  }

  /** The lowest height from which to `head` all identities are answered. */
  completeFrom(head: Height): Height {
    return Math.max(head - this.#window, this.#prunedThrough) + 1;
  }

  /** Adds the identities of the block at `height`, the new head, and takes out some that are too old. */
  add(writes: WriteSet, height: Height, ids: readonly Uint8Array[]): void {
    this.#prune(writes, height - this.#window);
    if (ids.length === 0) return;
    const { txs, txHeights } = this.#tables;
    const list = encodeIds(ids);
    writes.add(list.length, () => txHeights.put(numberKey(height), list));
    this.#pendingIds.set(height, ids);
    ids.forEach((id, index) => {
      assert(id.length > 0 && id.length <= txIdMaxBytes, "an identity fits a key", {
        height,
        index,
      });
      const location = { height, index };
      const record = encodeLocation(location);
      writes.add(id.length + record.length, () => txs.put(id, record));
      this.#pending.set(toHex(id), location);
    });
  }

  /** The identities at a height, in order; none if it is out of the window. */
  idsAt(height: Height): readonly Uint8Array[] {
    const pending = this.#pendingIds.get(height);
    if (pending !== undefined) return pending;
    const { txHeights } = this.#tables;
    const bytes = txHeights.get(numberKey(height), height);
    return bytes === null ? [] : decodeIds(bytes, txHeights.place(height));
  }

  /** What was pending for `height` is in the tables now. */
  flushed(height: Height): void {
    for (const id of this.#pendingIds.get(height) ?? []) {
      const key = toHex(id);
      if (this.#pending.get(key)?.height === height) this.#pending.delete(key);
    }
    this.#pendingIds.delete(height);
  }

  /**
   * The identities in the window below `head`, at `from` and above, by ascending height, blocks without any left out. They
   * stay until the listing ends, however many blocks are added meanwhile. Nothing may be pending of them.
   */
  *recent(head: Height, from: Height): Generator<TxIdsAt | null, void, undefined> {
    this.#held.push(head);
    try {
      const first = Math.max(from, head - this.#window + 1);
      for (let height = first; height <= head; height++) {
        const txIds = height > this.#prunedThrough ? this.idsAt(height) : [];
        yield txIds.length === 0 ? null : { height, txIds };
      }
    } finally {
      this.#held.splice(this.#held.indexOf(head), 1);
    }
  }

  #prune(writes: WriteSet, through: Height): void {
    const heldAbove = Math.min(...this.#held) - this.#window;
    const last = Math.min(through, heldAbove, this.#prunedThrough + prunedPerBlockMax);
    if (last <= this.#prunedThrough) return;
    const { txs, txHeights, meta } = this.#tables;
    for (let height = this.#prunedThrough + 1; height <= last; height++) {
      const ids = this.idsAt(height);
      if (ids.length > 0) writes.add(0, () => txHeights.remove(numberKey(height)));
      for (const id of ids) {
        // The same identity may have come back above the window.
        if (this.#find(id)?.height === height) writes.add(0, () => txs.remove(id));
      }
    }
    this.#prunedThrough = last;
    const record = encodeHeight(last);
    writes.add(record.length, () => meta.put(textKey(prunedThroughKey), record));
  }

  #find(txId: Uint8Array): TxLocation | null {
    const name = toHex(txId);
    const pending = this.#pending.get(name);
    if (pending !== undefined) return pending;
    const { txs } = this.#tables;
    const bytes = txs.get(txId, `0x${name}`);
    return bytes === null ? null : decodeLocation(bytes, txs.place(`0x${name}`));
  }
}
