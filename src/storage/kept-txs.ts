/**
 * Transactions that this node has accepted (`wait=accept`) and keeps through a restart, in the order they
 * came. Only numbers are in memory; the caller's pool, which holds the bytes as well, bounds them.
 */
import { toHex } from "../base/bytes.ts";
import { decodeKeptTx, encodeKeptTx, type KeptTx } from "./block-codec.ts";
import { corrupt } from "./errors.ts";
import { numberFromKey, numberKey } from "./keys.ts";
import type { Table } from "./table.ts";
import type { WriteSet } from "./write-set.ts";

export class KeptTxs {
  readonly #table: Table;
  readonly #numbers = new Map<string, number>();
  #nextNumber = 1;

  /** Reads what the last process kept. */
  constructor(table: Table) {
    this.#table = table;
    for (const { number, kept } of this.#stored()) {
      this.#numbers.set(toHex(kept.txId), number);
      this.#nextNumber = number + 1;
    }
  }

  get size(): number {
    return this.#numbers.size;
  }

  /** False if it is kept already. */
  keep(writes: WriteSet, kept: KeptTx): boolean {
    const name = toHex(kept.txId);
    if (this.#numbers.has(name)) return false;
    const number = this.#nextNumber++;
    this.#numbers.set(name, number);
    const record = encodeKeptTx(kept);
    writes.add(record.length, () => this.#table.put(numberKey(number), record));
    return true;
  }

  /** False if it is not kept. */
  drop(writes: WriteSet, txId: Uint8Array): boolean {
    const name = toHex(txId);
    const number = this.#numbers.get(name);
    if (number === undefined) return false;
    this.#numbers.delete(name);
    writes.add(0, () => this.#table.remove(numberKey(number)));
    return true;
  }

  /** What is on disk and still kept, oldest first. */
  list(): readonly KeptTx[] {
    return this.#stored()
      .map(({ kept }) => kept)
      .filter(({ txId }) => this.#numbers.has(toHex(txId)));
  }

  #stored(): readonly { readonly number: number; readonly kept: KeptTx }[] {
    return [...this.#table.entries()].map(({ key, value }) => {
      const number = numberFromKey(key);
      if (number === null) throw corrupt(this.#table.place("key"), "is no number");
      return { number, kept: decodeKeptTx(value, this.#table.place(number)) };
    });
  }
}
