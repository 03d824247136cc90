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

  async #ask<T>(read: (store: SimulatedChainStore) => T | null, signal: AbortSignal): Promise<T> {
    const { dice } = this.#node;
    for (;;) {
      const { low, high } = this.#world.conditions.network.latencyMs;
      await sleep(2 * dice.between(low, high), signal);
      if (signal.aborted) throw signal.reason;
      for (const peer of dice.shuffled(this.#whole.reachableFrom(this.#node))) {
        const found = read(peer.store);
        if (found !== null) return found;
      }
      await sleep(this.#world.plan.timeouts.heartbeatMs / 4, signal);
    }
  }
}
