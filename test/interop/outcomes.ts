/**
 * What became of the transactions of a test. A leader that is deposed rejects what may be committed all the
 * same, so each attempt has a transaction of its own, and that of a rejected one may or may not be in the chain.
 */

import { expect } from "vitest";
import type { Block } from "../e2e/harness/chain.ts";

export class Outcomes {
  readonly #committed: string[] = [];
  readonly #unknown = new Set<string>();

  add(tx: string, isCommitted: boolean): void {
    if (isCommitted) this.#committed.push(tx);
    else this.#unknown.add(tx);
  }

  /** The chain has all that were committed, in that order, and nothing that was not sent. */
  check(chain: readonly Block[]): void {
    const txs = chain.flatMap(({ data }) => data.txs.map(textOf));
    expect(txs.filter((tx) => !this.#unknown.has(tx))).toEqual(this.#committed);
  }
}

function textOf(hex: string): string {
  return Buffer.from(hex.replace(/^0x/, ""), "hex").toString();
}
