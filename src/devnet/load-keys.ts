/** Names for the transactions of one run. A user may send transactions of their own meanwhile. */

import { randomBytes } from "node:crypto";

export class LoadKeys {
  readonly #prefix = `load-${randomBytes(3).toString("hex")}-`;

  keyOf(sequence: number): string {
    return `${this.#prefix}${sequence}`;
  }

  /** The number of the transaction `key=value` among those of this run; null if it is none. */
  sequenceOf(tx: Buffer): number | null {
    const key = tx.toString("latin1", 0, Math.max(tx.indexOf("="), 0));
    return key.startsWith(this.#prefix) ? Number(key.slice(this.#prefix.length)) : null;
  }
}
