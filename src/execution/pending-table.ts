/**
 * A table whose writes are read at once and reach the disk later, many blocks in one transaction. A key
 * that is written in every block (the tree's root, a busy account) is then written to disk once.
 *
 *   put -> waiting --depart()--> leaving --write(), in a commit--> LMDB --arrived()--> forgotten here
 */

import type { Table } from "../storage/table.ts";

interface PendingWrite {
  readonly key: Uint8Array;
  /** Null removes the key. */
  readonly record: Uint8Array | null;
}

export class PendingTable {
  readonly #table: Table;
  #waiting = new Map<string, PendingWrite>();
  #leaving: ReadonlyMap<string, PendingWrite> = new Map();

  constructor(table: Table) {
    this.#table = table;
  }

  /** The record of `key`; null if there is none. */
  get(key: Uint8Array, keyName: string | number): Uint8Array | null {
    const name = nameOf(key);
    const write = this.#waiting.get(name) ?? this.#leaving.get(name);
    return write === undefined ? this.#table.get(key, keyName) : write.record;
  }

  place(key: string | number): ReturnType<Table["place"]> {
    return this.#table.place(key);
  }

  put(key: Uint8Array, record: Uint8Array): void {
    // A copy of the key: it may be a view on a whole block.
    this.#waiting.set(nameOf(key), { key: key.slice(), record });
  }

  remove(key: Uint8Array): void {
    this.#waiting.set(nameOf(key), { key: key.slice(), record: null });
  }

  /** What is waiting goes into the next commit. Returns how many bytes that writes, about. */
  depart(overheadBytes: number): number {
    this.#leaving = this.#waiting;
    this.#waiting = new Map();
    let sizeBytes = 0;
    for (const { record } of this.#leaving.values()) {
      sizeBytes += (record?.length ?? 0) + overheadBytes;
    }
    return sizeBytes;
  }

  /** Inside the commit. */
  write(): void {
    for (const { key, record } of this.#leaving.values()) {
      if (record === null) this.#table.remove(key);
      else this.#table.put(key, record);
    }
  }

  /** The commit is on disk. */
  arrived(): void {
    this.#leaving = new Map();
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
