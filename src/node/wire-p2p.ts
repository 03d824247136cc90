/** Blocks to and from other nodes: the libp2p host, what it serves, and what is fetched through it. */

import { InvariantError } from "../base/assert.ts";
import type { Height } from "../block/types.ts";
import { Backfill, type Gap } from "../p2p/backfill.ts";
import { P2pError } from "../p2p/errors.ts";
import type { P2pEvent } from "../p2p/event.ts";
import { Exchange } from "../p2p/exchange.ts";
import type { FetchedBlock } from "../p2p/fetch-data.ts";
import { P2pHost } from "../p2p/host.ts";
import { BlockServer } from "../p2p/server.ts";
import type { BlockSource, ConsensusPort } from "../sequencer/ports.ts";
import type { BlockStore } from "../storage/block-store.ts";
import type { NodeContext } from "./context.ts";
import { P2pReporter } from "./p2p-reporter.ts";
import { peerMethods } from "./peer-requests.ts";
import { TxIdFetch } from "./recent-identities.ts";

/** What a node serves in a second while it leads: building blocks comes first. */
const servedWhileLeadingBytes = 8 * 1024 * 1024;

/** Members in Go have kept none, so nobody of ours judges otherwise. */
const identitiesLost =
  "no member knows all recent transactions by name: one of a block up to here may be a new one if it comes again";
const identitiesAwaited =
  "waiting for members that may know recent transactions by name: start them, or take from raft.peers who is gone for good";

export interface P2pParts {
  readonly host: P2pHost;
  /** The blocks that this node lacks, from its peers. */
  readonly source: BlockSource;
  /** The height up to which it asks others for identities of transactions; null while it asks for none. */
  readonly awaitedTxIds: () => Height | null;
}

export interface P2pDependencies {
  readonly store: BlockStore;
  /** Whether this node builds blocks now. */
  readonly leads: () => boolean;
  /** Over the Raft port: what only members tell each other. */
  readonly askPeer: ConsensusPort["askPeer"];
}

/** Throws P2pError for an address or peer in the configuration that cannot be used. */
export function createP2p(
  context: NodeContext,
  { store, leads, askPeer }: P2pDependencies,
): P2pParts {
  const { options, genesis, metrics, narrator, log } = context;
  const { config, home, version } = options;
  const { chainId } = genesis;
  const reporter = new P2pReporter({ metrics, narrator, log });
  const onEvent = (event: P2pEvent) => {
    reporter.take(event);
    if (event.kind === "serveFailed" && event.error instanceof InvariantError) {
      context.fail(event.error);
    }
  };
  const host = new P2pHost(
    {
      rawPrivateKey: home.nodeKey.rawPrivateKey,
      listenAddress: config.p2p.listenAddress,
      peers: config.p2p.peers,
      allowedPeers: config.p2p.allowedPeers,
      blockedPeers: config.p2p.blockedPeers,
      agent: `ev-sequencer/${version}`,
    },
    { onEvent, random: Math.random },
  );
  const serveBudget = () => (leads() ? servedWhileLeadingBytes : Number.POSITIVE_INFINITY);
  new BlockServer({ chainId }, { blocks: store, serveBudget, onEvent }).register(host);
  const backfill = new Backfill(
    { chainId, proposerAddress: home.signer.signer.address },
    {
      exchange: new Exchange({ chainId }, host),
      connected: () => host.peers.map(({ peerId }) => peerId),
      progress: {
        load: () => store.backfillProgress(),
        save: (progress) => store.saveBackfillProgress(progress),
      },
      onEvent,
      nowMs: () => performance.now(),
    },
  );
  const others = [...context.addresses.keys()].filter((id) => id !== context.nodeId);
  const txIdFetch = new TxIdFetch({
    ask: (peerId, body, timeoutMs) => askPeer(peerId, peerMethods.txIds, body, timeoutMs),
    peerIds: others,
    waitingFor: (height, absent) => {
      log.warn({ height, members: absent.join(",") }, identitiesAwaited);
    },
  });
  return {
    host,
    source: {
      blocks: (gap, signal) => fetched(backfill, store, gap, signal),
      txIds: async (height, signal) => {
        const { identities, areSomeLost } = await txIdFetch.run(height, signal);
        if (areSomeLost) log.warn({ height }, identitiesLost);
        return identities;
      },
    },
    awaitedTxIds: () => txIdFetch.awaitedHeight,
  };
}

/** What was proven on the way is kept as long as the way is not at its end. */
async function* fetched(
  backfill: Backfill,
  store: BlockStore,
  gap: Gap,
  signal: AbortSignal,
): AsyncGenerator<FetchedBlock, void, undefined> {
  try {
    yield* backfill.blocks(gap, signal);
  } catch (error) {
    // Saved under another chain's target; without it the next attempt proves everything anew.
    const isStale = error instanceof P2pError && error.code === "P2P_PROGRESS_DAMAGED";
    if (isStale) await store.saveBackfillProgress({ anchors: [] });
    throw error;
  }
  await store.saveBackfillProgress({ anchors: [] });
}
