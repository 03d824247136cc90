/** One named LMDB database: bytes to bytes, sorted. The only file besides environment.ts that knows LMDB. */

import type { Database } from "lmdb";
import { corrupt, type Place, type StorageError } from "./errors.ts";

export type LmdbDatabase = Database<Uint8Array, Uint8Array>;

export interface TableEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Reads see what was committed. Writes belong inside the callback of `Environment.commit`. */
export class Table {
  readonly #database: LmdbDatabase;
  readonly #path: string;
  readonly #name: string;
  readonly #whyClosed: () => StorageError | null;

  /**
   * `whyClosed` says from the beginning of a close on why nothing is read any more: `lmdb` ends the process by a
   * timer if it is asked for something meanwhile.
   */
  constructor(
    database: LmdbDatabase,
    { path, name, whyClosed }: { path: string; name: string; whyClosed: () => StorageError | null },
  ) {
    this.#database = database;
    this.#path = path;
    this.#name = name;
    this.#whyClosed = whyClosed;
  }

  place(key: string | number): Place {
    return { path: this.#path, database: this.#name, key: String(key) };
  }

  /** A copy of the value; null if there is none. */
  get(key: Uint8Array, keyName: string | number): Uint8Array | null {
    const value = this.#read(keyName, () => this.#database.getBinary(key));
    return value === undefined ? null : plainBytes(value);
  }

  firstKey(): Uint8Array | null {
    return this.#edgeKey(false);
  }

  lastKey(): Uint8Array | null {
    return this.#edgeKey(true);
  }

  /** Number of entries, without counting them. */
  get size(): number {
    const stats = this.#read("size", () => this.#database.getStats());
    const count = "entryCount" in stats ? stats.entryCount : undefined;
    if (typeof count !== "number") throw corrupt(this.place("size"), "cannot be read");
    return count;
  }

  /** Entries in the order of their keys. */
  *entries(): Generator<TableEntry> {
    for (const { key, value } of this.#read("entries", () => this.#database.getRange())) {
      yield { key: plainBytes(key), value: plainBytes(value) };
      this.#checkOpen();
    }
  }

  put(key: Uint8Array, value: Uint8Array): void {
    void this.#database.put(key, value);
  }

  remove(key: Uint8Array): void {
    void this.#database.remove(key);
  }

  clear(): void {
    void this.#database.clearAsync();
  }

  #edgeKey(reverse: boolean): Uint8Array | null {
    return this.#read("keys", () => {
      for (const key of this.#database.getKeys({ reverse, limit: 1 })) {
        return plainBytes(key);
      }
      return null;
    });
  }

  #checkOpen(): void {
    const closed = this.#whyClosed();
    if (closed !== null) throw closed;
  }

  /** LMDB's own complaints about the file (a page of the wrong kind, for one) name the place too. */
  #read<T>(keyName: string | number, read: () => T): T {
    this.#checkOpen();
    try {
      return read();
    } catch (error) {
      throw corrupt(this.place(keyName), "cannot be read", error);
    }
  }
}

/** The same bytes without Buffer's own methods, whose `slice` shares memory where Uint8Array's copies. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
