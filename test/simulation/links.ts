/** Which way messages can go: each direction between two nodes can be cut on its own, or too narrow for what is large. */

import type { ServerId } from "../../src/raft/types.ts";

export class Links {
  readonly #cut = new Set<string>();
  readonly #narrow = new Set<string>();

  isCut(from: ServerId, to: ServerId): boolean {
    return this.#cut.size > 0 && this.#cut.has(`${from}>${to}`);
  }

  cut(from: ServerId, to: ServerId): void {
    this.#cut.add(`${from}>${to}`);
  }

  /** As a tunnel whose MTU nobody knows of: small packets pass, and large ones do not. */
  isNarrow(from: ServerId, to: ServerId): boolean {
    return this.#narrow.size > 0 && this.#narrow.has(`${from}>${to}`);
  }

  narrow(from: ServerId, to: ServerId): void {
    this.#narrow.add(`${from}>${to}`);
  }

  get areAnyNarrow(): boolean {
    return this.#narrow.size > 0;
  }

  mendAll(): void {
    this.#cut.clear();
    this.#narrow.clear();
  }

  get areWhole(): boolean {
    return this.#cut.size === 0 && this.#narrow.size === 0;
  }
}
