/** Damaged blocks, fetched again from the peers. */

import { Backfill } from "../p2p/backfill.ts";
import { Exchange } from "../p2p/exchange.ts";
import type { P2pHost } from "../p2p/host.ts";
import { Repairer } from "../sequencer/repairer.ts";
import type { BlockStore } from "../storage/block-store.ts";
import { asError, type NodeContext } from "./context.ts";
import { P2pReporter } from "./p2p-reporter.ts";

export function createRepairer(
  context: NodeContext,
  { store, host }: { readonly store: BlockStore; readonly host: P2pHost },
): Repairer {
  const { options, genesis, narrator, fail } = context;
  const { chainId } = genesis;
  const reporter = new P2pReporter(context);
  const backfill = new Backfill(
    { chainId, proposerAddress: options.home.signer.signer.address },
    {
      exchange: new Exchange({ chainId }, host),
      connected: () => host.peers.map(({ peerId }) => peerId),
      // A few blocks: what was proven of them need not survive a restart.
      progress: { load: () => null, save: async () => {} },
      onEvent: (event) => {
        if (event.kind !== "progress") reporter.take(event);
      },
      nowMs: () => performance.now(),
    },
  );
  return new Repairer({
    store,
    fetch: (gap, signal) => backfill.blocks(gap, signal),
    onDamaged: (height, reason) =>
      narrator.nodeEvent({ kind: "blockDamaged", height, reason }, Date.now()),
    onRepaired: (height) => narrator.nodeEvent({ kind: "blockRepaired", height }, Date.now()),
    onFailure: (_name, error) => fail(asError(error)),
  });
}
