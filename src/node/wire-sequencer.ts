/** The sequencer, from the configuration. */

import { SignatureChecker } from "../block/sign.ts";
import type { Consensus } from "../consensus/consensus.ts";
import type { Executor } from "../execution/executor.ts";
import type { BlockSource } from "../sequencer/ports.ts";
import { Sequencer } from "../sequencer/sequencer.ts";
import type { BlockStore } from "../storage/block-store.ts";
import type { WatchedDisk } from "../storage/watched-disk.ts";
import { asError, type NodeContext } from "./context.ts";
import type { NodeListener } from "./node-listener.ts";

/** A transaction whose place another has taken is in nobody's way for so long. */
const txReviewEveryMs = 15_000;

export interface SequencerParts {
  readonly consensus: Consensus;
  readonly executor: Executor;
  readonly store: BlockStore;
  readonly source: BlockSource;
  readonly listener: NodeListener;
  readonly dataDisk: WatchedDisk;
}

export function createSequencer(context: NodeContext, parts: SequencerParts): Sequencer {
  const { config, home } = context.options;
  const { node, cluster, rpc, raft } = config;
  const { consensus, executor, store, source, listener, dataDisk } = parts;
  return new Sequencer(
    {
      nodeId: context.nodeId,
      genesis: context.genesis,
      head: store.head,
      production: {
        signsBeforeCommit: raft.signBeforeCommit,
        blockTimeMs: node.blockTimeMs,
        lazyBlockIntervalMs: node.lazyMode ? node.lazyBlockIntervalMs : null,
      },
      submission: {
        txMaxBytes: rpc.txMaxBytes,
        waitForLeaderTimeoutMs: cluster.waitForLeaderTimeoutMs,
        commitTimeoutMs: cluster.txCommitTimeoutMs,
      },
      forwarding: {
        retryDelayMs: cluster.commitRetryDelayMs,
        answerTimeoutMs: Math.max(1_000, 5 * raft.sendTimeoutMs),
      },
      pool: {
        maxTxs: rpc.queueMaxTxs,
        maxBytes: rpc.queueMaxBytes,
        maxOffers: 1 + cluster.commitRetries,
      },
      acceptsBlocksWithoutTxIds: true,
      txReviewEveryMs,
      unreadyAfterMs: config.execution.unreadyAfterMs,
      catchUpTimeoutMs: 10 * raft.electionTimeoutMs,
      priority: raft.priority,
    },
    {
      consensus,
      store,
      source,
      executor,
      signer: home.signer,
      signatures: new SignatureChecker(),
      listener,
      // A single sequencer leads all the same: there is nobody to stand back for.
      slowDataDisk: () => (raft.enable ? dataDisk.slow : null),
      onFailure: (_name, error) => context.fail(asError(error)),
    },
  );
}
