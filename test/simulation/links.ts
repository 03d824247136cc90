/** Which way messages can go: each direction between two nodes can be cut on its own. */

import type { ServerId } from "../../src/raft/types.ts";

export class Links {
  readonly #cut = new Set<string>();

  isCut(from: ServerId, to: ServerId): boolean {
    return this.#cut.size > 0 && this.#cut.has(`${from}>${to}`);
  }

  cut(from: ServerId, to: ServerId): void {
    this.#cut.add(`${from}>${to}`);
  }

  mendAll(): void {
    this.#cut.clear();
  }

  get areWhole(): boolean {
    return this.#cut.size === 0;
  }
}
