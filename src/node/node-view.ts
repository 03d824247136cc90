/** What the HTTP server is told and asks for: the node, in the words of `rpc/api.ts`. */

import { sleep } from "../base/task-group.ts";
import type { SubmitOutcome, SubmitRequest } from "../block/submit.ts";
import type { BlockReader } from "../block/types.ts";
import type { NodeConfig } from "../config/schema.ts";
import type { Consensus } from "../consensus/consensus.ts";
import type { ConsensusView } from "../consensus/messages.ts";
import type { KvExecutor } from "../execution/kv.ts";
import type { RaftStatus } from "../raft/status.ts";
import type {
  ClusterStatus,
  EthereumClient,
  Health,
  NetworkFacts,
  NodeApi,
  ReadOutcome,
  StatusFacts,
  TransferOutcome,
} from "../rpc/api.ts";
import type { Sequencer } from "../sequencer/sequencer.ts";
import { clusterView, decodeClusterView } from "./cluster-view.ts";
import type { Home } from "./open-home.ts";
import { peerMethods } from "./peer-requests.ts";
import { StateReads } from "./state-reads.ts";

export interface NodeFacts {
  readonly nodeId: string;
  /** Of the program. */
  readonly version: string;
  readonly config: NodeConfig;
  readonly home: Home;
  /** All members, this one included, by node_id. */
  readonly addresses: ReadonlyMap<string, string>;
}

const askLeaderTimeoutMs = 1_000;
const transferPollMs = 5;
/** A consensus thread that is silent for so long hangs. No disk or garbage collection that works stops it for that long. */
const consensusSilentMaxMs = 10_000;

/** What of the consensus thread it needs. */
export type ConsensusForView = Pick<
  Consensus,
  "view" | "silentMs" | "askPeer" | "holdsLease" | "confirmLeadership" | "transferLeadership"
>;

export class NodeView implements NodeApi {
  readonly blocks: BlockReader;
  readonly ethereum: EthereumClient | null;
  readonly #facts: NodeFacts;
  readonly #consensus: ConsensusForView;
  readonly #sequencer: Sequencer;
  readonly #p2p: NetworkFacts;
  readonly #reads: StateReads;

  constructor(
    facts: NodeFacts,
    dependencies: {
      readonly blocks: BlockReader;
      readonly consensus: ConsensusForView;
      readonly sequencer: Sequencer;
      /** As it is at any moment. */
      readonly p2p: NetworkFacts;
      /** null where the executor keeps no readable state. */
      readonly kv: KvExecutor | null;
      /** null where there is no such client. */
      readonly ethereum: EthereumClient | null;
    },
  ) {
    this.#facts = facts;
    this.blocks = dependencies.blocks;
    this.ethereum = dependencies.ethereum;
    this.#consensus = dependencies.consensus;
    this.#sequencer = dependencies.sequencer;
    this.#p2p = dependencies.p2p;
    const { nodeId, config } = facts;
    const applyTimeoutMs = config.cluster.txCommitTimeoutMs;
    this.#reads = new StateReads({ nodeId, applyTimeoutMs }, dependencies);
  }

  async status(): Promise<StatusFacts> {
    const { config, home, nodeId, addresses } = this.#facts;
    const view = await this.#consensus.view();
    return {
      chainId: home.genesis.chainId,
      moniker: nodeId,
      peerId: home.nodeKey.peerId,
      p2pListenAddress: config.p2p.listenAddress,
      rpcAddress: config.rpc.address,
      version: this.#facts.version,
      validatorAddress: home.signer.signer.address,
      validatorPublicKey: home.signerPublicKey,
      catchingUp: this.#isCatchingUp(view),
      // Before it has a log, a node knows those of its configuration.
      memberCount: view?.status.configuration.servers.length || addresses.size,
      raft: view === null || !config.raft.enable ? null : this.#raftStatus(view),
    };
  }

  #raftStatus({ status }: ConsensusView): NonNullable<StatusFacts["raft"]> {
    return {
      nodeId: status.id,
      role: status.role,
      leaderId: status.leaderId,
      term: status.term,
      commitIndex: status.commitIndex,
      appliedIndex: this.#sequencer.appliedIndex,
      lastLogIndex: status.lastIndex,
      firstLogIndex: status.firstIndex,
      state: this.#sequencer.state.kind,
    };
  }

  /** A block or two are always on their way; a node that has not joined cannot know how many it lacks. */
  #isCatchingUp(view: ConsensusView | null): boolean {
    if (view === null || !view.status.hasJoined) return true;
    return this.#sequencer.isBehind;
  }

  async cluster(): Promise<ClusterStatus> {
    const own = await this.ownClusterView();
    const { leaderId } = own;
    if (leaderId === null || leaderId === this.#facts.nodeId) return own;
    const { cluster } = peerMethods;
    const nothing = new Uint8Array(0);
    const reply = await this.#consensus.askPeer(leaderId, cluster, nothing, askLeaderTimeoutMs);
    if (reply.kind === "failed" || reply.status !== 200) return own;
    return decodeClusterView(reply.body) ?? own;
  }

  async network(): Promise<NetworkFacts> {
    const { addresses, peers } = this.#p2p;
    return { addresses, peers };
  }

  async ownClusterView(): Promise<ClusterStatus> {
    const { config, nodeId, addresses } = this.#facts;
    const view = await this.#consensus.view();
    if (view === null) {
      return { leaderId: null, term: 0, nodes: [], commitIndex: 0, lastApplied: 0 };
    }
    const cluster = clusterView({
      view,
      addresses,
      appliedIndex: this.#sequencer.appliedIndex,
      height: this.#sequencer.head.height,
      nowMs: Date.now(),
      heartbeatTimeoutMs: config.raft.heartbeatTimeoutMs,
      electionTimeoutMs: config.raft.electionTimeoutMs,
    });
    return config.raft.enable ? cluster : { ...cluster, leaderId: nodeId };
  }

  async live(): Promise<Health> {
    return this.#hang() ?? { isHealthy: true, reason: "the process and its consensus thread run" };
  }

  /** null while the consensus thread answers; then it may be asked. */
  #hang(): Health | null {
    const { silentMs } = this.#consensus;
    if (silentMs <= consensusSilentMaxMs) return null;
    const reason = `the consensus thread has been silent for ${Math.round(silentMs / 1000)} s`;
    return { isHealthy: false, reason };
  }

  async ready(): Promise<Health> {
    const hang = this.#hang();
    if (hang !== null) return hang;
    const unready = (reason: string) => ({ isHealthy: false, reason });
    const view = await this.#consensus.view();
    if (view === null) return unready("this node is shutting down");
    if (view.waitsFor !== null) return unready(view.waitsFor);
    if (view.status.recovery !== null) return unready(recoveringText(view.status));
    if (!view.status.hasJoined) return unready("no leader is known");
    const { isBehind, state } = this.#sequencer;
    const { readinessMaxBlocksBehind } = this.#facts.config.node;
    const reason = this.#sequencer.unreadyReasonWithin(readinessMaxBlocksBehind);
    // A leader on a slow disk that lacks nothing serves, if slowly, until another takes over; if any can.
    const isBestThereIs = state.kind === "producing" && !isBehind;
    if (reason !== null && !isBestThereIs) return unready(reason);
    if (this.blocks.earliestHeight === null) return unready("no blocks yet");
    return this.#productionHealth() ?? { isHealthy: true, reason: "ready" };
  }

  /** ev-node's rule: five block times without a block, or two lazy intervals, are too many. */
  #productionHealth(): Health | null {
    const { node } = this.#facts.config;
    const limitMs = node.lazyMode ? 2 * node.lazyBlockIntervalMs : 5 * node.blockTimeMs;
    const { appliedAtMs, head } = this.#sequencer;
    // Clocks of nodes differ, and jump: theirs count only until there is a block of this process.
    const ageMs =
      appliedAtMs === null
        ? Date.now() - Number(head.timeNs / 1_000_000n)
        : performance.now() - appliedAtMs;
    // Followers are given ev-node's window, which is longer where blocks are fast.
    const isProducing = this.#sequencer.state.kind === "producing";
    const windowMs = (node.readinessWindowSeconds || 15) * 1000;
    if (ageMs <= (isProducing ? limitMs : Math.max(windowMs, limitMs))) return null;
    const reason = isProducing
      ? "aggregator not producing blocks at expected rate"
      : "node not executing blocks";
    return { isHealthy: false, reason };
  }

  async leader(): Promise<Health> {
    const hang = this.#hang();
    if (hang !== null) return hang;
    const view = await this.#consensus.view();
    const status = view?.status ?? null;
    if (status === null || status.role !== "leader") {
      const leader = status?.leaderId ?? null;
      const reason = leader === null ? "no leader is known" : `the leader is ${leader}`;
      return { isHealthy: false, reason };
    }
    return this.#consensus.holdsLease(status.term)
      ? { isHealthy: true, reason: "leader with a valid lease" }
      : { isHealthy: false, reason: "leader, but its lease has run out" };
  }

  submit(request: SubmitRequest): Promise<SubmitOutcome> {
    return this.#sequencer.submit(request);
  }

  readState(
    key: Uint8Array,
    consistency: "linearizable" | "stale",
    signal: AbortSignal,
  ): Promise<ReadOutcome> {
    return this.#reads.read(key, consistency, signal);
  }

  async transferLeadership(targetId: string | null): Promise<TransferOutcome> {
    const before = (await this.#consensus.view())?.status;
    if (before === undefined || before.role !== "leader") {
      return { kind: "notLeader", leaderId: before?.leaderId ?? null };
    }
    if (targetId !== null && !this.#facts.addresses.has(targetId)) {
      const known = [...this.#facts.addresses.keys()].join(", ");
      return { kind: "failed", reason: `${targetId} is no member; the members are ${known}` };
    }
    this.#consensus.transferLeadership(targetId);
    const deadlineMs = performance.now() + 2 * this.#facts.config.raft.electionTimeoutMs;
    while (performance.now() < deadlineMs) {
      const now = (await this.#consensus.view())?.status;
      if (now !== undefined && now.leaderId !== null && now.leaderId !== this.#facts.nodeId) {
        return { kind: "transferred", leaderId: now.leaderId };
      }
      await sleep(transferPollMs);
    }
    return {
      kind: "failed",
      reason: "no other member took over in time; this one goes on leading",
    };
  }
}

/** What a node that lost its raft_dir still waits for. */
function recoveringText({ recovery, lastIndex, leaderId }: RaftStatus): string {
  const goal = `its log is regained up to entry ${recovery?.untilIndex ?? 0}`;
  const from = leaderId === null ? "no leader is known" : `${leaderId} leads`;
  return `recovering a lost raft_dir: no vote until ${goal}, and it holds ${lastIndex}; ${from}`;
}
