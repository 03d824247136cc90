/** The consensus thread, and who hears what it says. */

import type { Height } from "../block/types.ts";
import { parseSocketAddress } from "../config/address.ts";
import { Consensus } from "../consensus/consensus.ts";
import { readMemberRecord } from "../home/member-record.ts";
import type { Sequencer } from "../sequencer/sequencer.ts";
import { takeSnapshot } from "../sequencer/snapshot.ts";
import type { BlockStore } from "../storage/block-store.ts";
import { chainHashOf, type NodeContext } from "./context.ts";
import type { NodeListener } from "./node-listener.ts";
import type { NodeView } from "./node-view.ts";
import { answerPeer } from "./peer-requests.ts";
import { RaftMetrics } from "./raft-metrics.ts";
import { pageOfTxIds } from "./recent-identities.ts";
import { sharedSettingsOf } from "./shared-settings.ts";

/** What is there once the node's parts are: the thread speaks only after its start. */
export interface ConsensusHearers {
  readonly store: BlockStore;
  /** The height up to which this node asks others for identities of transactions; null while it asks for none. */
  readonly awaitedTxIds: () => Height | null;
  /** Whether the executor has all stored blocks. */
  readonly isExecuted: boolean;
  /** The members, by the log. */
  readonly onMembers: (members: readonly string[]) => void;
  readonly listener: NodeListener;
  readonly sequencer: () => Sequencer;
  readonly view: () => NodeView;
}

export function createConsensus(context: NodeContext, hearers: ConsensusHearers): Consensus {
  const { options, nodeId, narrator, metrics, log } = context;
  const { node, raft, storage } = options.config;
  const { store, awaitedTxIds, isExecuted, onMembers, listener, sequencer, view } = hearers;
  const reporter = new RaftMetrics(raft, { metrics, narrator, log });
  const consensus: Consensus = new Consensus(
    {
      nodeId,
      chainId: context.genesis.chainId,
      raftDir: context.raftDir,
      heartbeatTimeoutMs: raft.heartbeatTimeoutMs,
      electionTimeoutMs: raft.electionTimeoutMs,
      leaderLeaseTimeoutMs: raft.leaderLeaseTimeoutMs,
      sendTimeoutMs: raft.sendTimeoutMs,
      blockIntervalMaxMs: node.lazyMode ? node.lazyBlockIntervalMs : node.blockTimeMs,
      snapshotThreshold: raft.snapshotThreshold,
      trailingLogs: raft.trailingLogs,
      snapCount: raft.snapCount,
      mapSizeBytes: storage.mapSizeBytes,
      allowVolatile: storage.allowVolatile,
      voters: [...context.addresses.keys()],
      knownMembers: raft.enable ? (readMemberRecord(options.config)?.members ?? []) : [],
      appliedIndex: store.head.raftIndex,
      readiness: { isReady: isExecuted, appliedHeight: store.head.height, priority: raft.priority },
      firstHeight: context.genesis.initialHeight,
      network: networkOf(context),
    },
    {
      committed: (entries, commitIndex) => sequencer().onCommitted(entries, commitIndex),
      snapshot: ({ last, data }) => sequencer().onSnapshot({ ...last, data }),
      snapshotWanted: () => takeSnapshot(store),
      begun: (beginning) => {
        if (beginning.members.length > 0) onMembers(beginning.members);
        if (beginning.appliedIndex === 0) store.beginLog();
        sequencer().begin(beginning);
      },
      role: (report) => {
        listener.role(report);
        sequencer().onRole(report);
      },
      events: (events) => {
        for (const { event, atMs } of events) narrator.raftEvent(event, atMs);
      },
      transport: (event, atMs) => reporter.transportEvent(event, atMs),
      measured: (measurements) => {
        reporter.record(measurements, sequencer().appliedIndex);
        const { slowDisk, status } = measurements;
        sequencer().onRaftHealth({ slowDisk, standsBack: status.hasStalled });
      },
      peerAsks: (_peerId, method, body) =>
        answerPeer(method, body, {
          takeOffer: (offer) => sequencer().takeOffer(offer),
          confirmLeadership: () => consensus.confirmLeadership(),
          clusterView: () => view().ownClusterView(),
          txIds: (request) => pageOfTxIds(request, store, awaitedTxIds()),
          settings: () => sharedSettingsOf(context, store),
        }),
      failed: context.fail,
    },
  );
  return consensus;
}

/** So many bytes of its hash tell one genesis from the others. */
const chainMarkBytes = 8;

function networkOf(context: NodeContext) {
  const { raft } = context.options.config;
  const listen = parseSocketAddress(raft.raftAddr);
  if (!raft.enable || !listen.ok) return null;
  return {
    listenHost: listen.value.host,
    listenPort: listen.value.port,
    peers: raft.peers.map(({ id, address }) => [id, address] as const),
    advertisedAddress: raft.advertiseAddr,
    allowFrom: raft.allowFrom,
    chain: chainHashOf(context).slice(0, chainMarkBytes),
  };
}
