/** Backfill: blocks and identities from the stores of other nodes, while these run and can be reached. */

import { sleep } from "../../../src/base/task-group.ts";
import { dataHashes } from "../../../src/block/hash.ts";
import type { TxIdsAt } from "../../../src/block/snapshot-codec.ts";
import type { ChainHead, Height } from "../../../src/block/types.ts";
import type { BlockSource, FetchedBlock } from "../../../src/sequencer/ports.ts";
import type { SimulatedNode } from "../node.ts";
import type { World } from "../world.ts";
import type { SimulatedChainStore } from "./chain-disk.ts";
import type { Whole } from "./whole.ts";

type Read<T> = (store: SimulatedChainStore) => T | null;

export class PeerBlocks implements BlockSource {
  readonly #whole: Whole;
  readonly #node: SimulatedNode;
  readonly #world: World;

  constructor(whole: Whole, node: SimulatedNode, world: World) {
    this.#whole = whole;
    this.#node = node;
    this.#world = world;
  }

  async *blocks(
    {
      parent,
      target,
    }: { readonly parent: ChainHead; readonly target: { readonly height: Height } },
    signal: AbortSignal,
  ): AsyncGenerator<FetchedBlock, void, undefined> {
    for (let height = parent.height + 1; height <= target.height; height++) {
      const block = await this.#ask((store) => store.blockAt(height), signal);
      const { hash, header, data } = block;
      yield { height, hash, header, data, dataHash: dataHashes(data).hash };
    }
  }

  async txIds(height: Height, signal: AbortSignal): Promise<readonly TxIdsAt[]> {
    return this.#ask(
      (store) => (store.head.height < height ? null : store.txIdsUpTo(height)),
      signal,
    );
  }

  async #ask<T>(read: Read<T>, signal: AbortSignal): Promise<T> {
    const { dice } = this.#node;
    for (;;) {
      for (const peer of dice.shuffled(this.#whole.othersThan(this.#node))) {
        const found = await this.#askOne(peer, read, signal);
        if (found !== null) return found;
      }
      await sleep(this.#world.plan.timeouts.heartbeatMs / 4, signal);
    }
  }

  /** null if it has none, or does not run; or the question did not get there, or the answer did not get back. */
  async #askOne<T>(peer: SimulatedNode, read: Read<T>, signal: AbortSignal): Promise<T | null> {
    if (!(await this.#travel(this.#node, peer, signal))) return null;
    const store = this.#whole.storeOf(peer);
    const found = store === null ? null : read(store);
    if (found === null) return null;
    return (await this.#travel(peer, this.#node, signal)) ? found : null;
  }

  async #travel(from: SimulatedNode, to: SimulatedNode, signal: AbortSignal): Promise<boolean> {
    const { low, high } = this.#world.conditions.network.latencyMs;
    await sleep(this.#node.dice.between(low, high), signal);
    if (signal.aborted) throw signal.reason;
    return this.#whole.passes(from, to);
  }
}
