/** Looks again and again at the clients' heads: whatever happens, they only ever extend. */

import { setTimeout as delay } from "node:timers/promises";
import { onTestFinished } from "vitest";
import type { Pair } from "./engine-cluster.ts";

const everyMs = 100;

export class HeadWatch {
  /** What no head may do. */
  readonly violations: string[] = [];
  looks = 0;
  readonly #pairs: readonly Pair[];
  /** On all clients there is one block at a height, for ever. */
  readonly #hashes = new Map<number, string>();
  /** The last head in this life of the client's process. */
  readonly #heads = new Map<Pair, { readonly height: number; readonly life: number }>();
  readonly #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(pairs: readonly Pair[]) {
    this.#pairs = pairs;
  }

  start(): void {
    onTestFinished(() => this.#stop.abort());
    this.#running = Promise.all(this.#pairs.map((pair) => this.#watch(pair)));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #watch(pair: Pair): Promise<void> {
    for (; !this.#stop.signal.aborted; await delay(everyMs)) {
      const life = pair.geth.starts;
      // Dead or starting, it has no head.
      const block = await pair.client.getBlock().catch(() => null);
      if (block === null || pair.geth.starts !== life) continue;
      this.looks++;
      const height = Number(block.number);
      const last = this.#heads.get(pair);
      // A geth that was killed comes back with less; that is its disk, and no other chain.
      if (last !== undefined && last.life === life && height < last.height) {
        this.violations.push(`${pair.node.id}: head ${height} after ${last.height}`);
      }
      this.#heads.set(pair, { height, life });
      const known = this.#hashes.get(height) ?? block.hash;
      this.#hashes.set(height, known);
      if (known !== block.hash) {
        this.violations.push(`${pair.node.id}: ${block.hash} at ${height}, which was ${known}`);
      }
    }
  }
}
