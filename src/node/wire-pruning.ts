/** The removal of old blocks, where `pruning.pruning_mode` asks for it. */

import type { Consensus } from "../consensus/consensus.ts";
import type { KvExecutor } from "../execution/kv.ts";
import { Pruner } from "../sequencer/pruner.ts";
import type { BlockStore } from "../storage/block-store.ts";
import { asError, type NodeContext } from "./context.ts";

/** null in the modes that keep every block. */
export function createPruner(
  { options, narrator, fail }: NodeContext,
  parts: {
    readonly store: BlockStore;
    /** null where the state is elsewhere: then every block is kept. */
    readonly kv: KvExecutor | null;
    readonly consensus: Consensus;
  },
): Pruner | null {
  const { pruningMode, pruningKeepRecent, pruningIntervalMs } = options.config.pruning;
  const { store, kv, consensus } = parts;
  if (pruningMode !== "all" || kv === null) return null;
  return new Pruner(
    { keepRecent: pruningKeepRecent, intervalMs: pruningIntervalMs },
    {
      store,
      executedHeight: async () => {
        const { height } = await kv.head();
        await kv.flushed();
        return height;
      },
      firstLogIndex: async () => (await consensus.view())?.status.firstIndex ?? null,
      onPruned: (pruned) => narrator.nodeEvent({ kind: "blocksPruned", ...pruned }, Date.now()),
      onFailure: (_name, error) => fail(asError(error)),
    },
  );
}
