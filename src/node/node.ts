/**
 * The composition root: builds a node from its configuration, connects the parts, starts them in the
 * order of their dependencies and stops them in reverse. It decides nothing else.
 */

import { join } from "node:path";
import { describeError } from "../base/coded-error.ts";
import { SignatureChecker } from "../block/sign.ts";
import { parseSocketAddress } from "../config/address.ts";
import type { NodeConfig } from "../config/schema.ts";
import { Consensus, type Listening } from "../consensus/consensus.ts";
import { KvExecutor } from "../execution/kv.ts";
import type { RootLogger } from "../observability/logger.ts";
import { createMetrics, type Metrics } from "../observability/metrics.ts";
import { MetricsServer } from "../observability/metrics-server.ts";
import { Narrator } from "../observability/narrate.ts";
import { createRpcServer, type RpcServer } from "../rpc/server.ts";
import { SequencerError } from "../sequencer/errors.ts";
import { replayStoredBlocks } from "../sequencer/replay.ts";
import { Sequencer } from "../sequencer/sequencer.ts";
import { type BlockStore, lockDirectory, openBlockStore } from "../storage/block-store.ts";
import { NodeListener } from "./node-listener.ts";
import { type NodeFacts, NodeView } from "./node-view.ts";
import type { Home } from "./open-home.ts";
import { answerPeer } from "./peer-requests.ts";
import { RaftMetrics } from "./raft-metrics.ts";
import { rpcMetrics } from "./rpc-metrics.ts";
import { readOnScrape } from "./scrape-gauges.ts";

export interface NodeOptions {
  readonly config: NodeConfig;
  readonly home: Home;
  readonly version: string;
  /** null: admin paths answer loopback only. */
  readonly adminToken: string | null;
}

export interface NodeDependencies {
  readonly log: RootLogger;
  /** The node cannot go on; its owner stops it and ends the process. Called once. */
  readonly onFailure: (error: Error) => void;
}

/** A single sequencer's one-member log; a cluster's is in `raft.raft_dir`. */
const soloDirectory = "solo-raft";
const soloNodeId = "sequencer";

export class Node {
  readonly #options: NodeOptions;
  readonly #log: RootLogger;
  readonly #onFailure: (error: Error) => void;
  readonly #metrics: Metrics;
  readonly #narrator: Narrator;
  /** What was started, in that order, each with how to stop it. */
  readonly #started: { readonly name: string; readonly stop: () => Promise<void> }[] = [];
  #hasFailed = false;
  #isStopping = false;
  #stopped: Promise<void> = Promise.resolve();
  #parts: {
    readonly consensus: Consensus;
    readonly sequencer: Sequencer;
    readonly listener: NodeListener;
  } | null = null;
  #rpcAddress: Listening | null = null;

  constructor(options: NodeOptions, { log, onFailure }: NodeDependencies) {
    const { config, home, version } = options;
    this.#options = options;
    this.#log = log;
    this.#onFailure = onFailure;
    this.#metrics = createMetrics({
      namespace: config.instrumentation.namespace,
      chainId: home.genesis.chainId,
      nodeId: this.#nodeId,
      version,
    });
    const blockTimeMs = config.node.lazyMode ? null : config.node.blockTimeMs;
    this.#narrator = new Narrator(
      { nodeId: this.#nodeId, blockTimeMs },
      { log, metrics: this.#metrics },
    );
  }

  /** Where HTTP is served; null before the start. */
  get rpcAddress(): Listening | null {
    return this.#rpcAddress;
  }

  /** Resolves once everything runs. If a part cannot start, stops the others and throws what was wrong. */
  async start(): Promise<void> {
    try {
      await this.#startParts();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * Ends this node's leadership: no new blocks, and another member takes over if there is one (P9).
   * Resolves when it has, or after `timeoutMs`.
   */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#parts === null) return;
    const { sequencer, consensus, listener } = this.#parts;
    const wasLeader = listener.isLeader;
    await sequencer.drain();
    const hasOthers = this.#addresses().size > 1;
    if (!wasLeader || !hasOthers) return;
    const hasHandedOver = await listener.handOver(
      () => consensus.transferLeadership(null),
      timeoutMs,
    );
    if (!hasHandedOver) this.#log.warn({}, "no other member took over before the shutdown");
  }

  /** Stops what was started, in reverse; a start that is under way fails. May be called twice. */
  stop(): Promise<void> {
    this.#isStopping = true;
    this.#stopped = this.#stopped.then(() => this.#stopParts());
    return this.#stopped;
  }

  async #stopParts(): Promise<void> {
    for (let part = this.#started.pop(); part !== undefined; part = this.#started.pop()) {
      try {
        await part.stop();
      } catch (error) {
        this.#log.error({ part: part.name, reason: describeError(error) }, "stopping failed");
      }
    }
  }

  get #nodeId(): string {
    return this.#options.config.raft.nodeId || soloNodeId;
  }

  get #raftDir(): string {
    const { raft, dbPath } = this.#options.config;
    return raft.enable ? raft.raftDir : join(dbPath, soloDirectory);
  }

  async #startParts(): Promise<void> {
    const { config, home } = this.#options;
    const genesis = {
      chainId: home.genesis.chainId,
      initialHeight: home.genesis.initialHeight,
      genesisTimeNs: home.genesis.startTimeNs,
    };
    const lock = await lockDirectory(config.dbPath);
    this.#began("data directory", () => lock.release());
    const executor = new KvExecutor({ directory: config.dbPath });
    this.#began("executor", () => executor.close());
    const { appHash } = await executor.initChain(genesis);

    const store = await openBlockStore({
      directory: config.dbPath,
      lock,
      genesis: { ...genesis, genesisHash: home.genesisHash, appHash },
      txWindow: config.cluster.txIdentityWindow,
    });
    this.#began("block store", () => store.close());
    const replayed = await replayStoredBlocks(store, executor, ({ height, remaining }) =>
      this.#log.info({ height, remaining }, "executing stored blocks again"),
    );
    if (replayed > 0) this.#log.info({ blocks: replayed }, "executed stored blocks again");

    const listener = new NodeListener(this.#narrator, this.#metrics);
    const consensus = this.#createConsensus(store, listener);
    const sequencer = this.#createSequencer(consensus, executor, store, genesis, listener);
    this.#parts = { consensus, sequencer, listener };
    this.#began("consensus", () => consensus.stop());
    const { listening } = await consensus.start();
    sequencer.start(store.keptTxs());
    this.#began("sequencer", () => sequencer.stop());

    const rpc = this.#createRpc(consensus, sequencer, executor, store);
    this.#rpcAddress = await rpc.start();
    this.#began("rpc", () => rpc.stop());
    await this.#startMetrics(sequencer);
    const { host, port } = this.#rpcAddress;
    this.#log.info(
      {
        node: this.#nodeId,
        chain: genesis.chainId,
        height: store.head.height,
        rpc: `${host}:${port}`,
        ...(listening === null ? {} : { raft: `${listening.host}:${listening.port}` }),
      },
      "node started",
    );
  }

  #createConsensus(store: BlockStore, listener: NodeListener): Consensus {
    const { raft, storage } = this.#options.config;
    const listen = parseSocketAddress(raft.raftAddr);
    const reporter = new RaftMetrics(raft, {
      metrics: this.#metrics,
      narrator: this.#narrator,
      log: this.#log,
    });
    const parts = () => {
      if (this.#parts === null) throw new Error("the consensus thread speaks before its start");
      return this.#parts;
    };
    return new Consensus(
      {
        nodeId: this.#nodeId,
        chainId: this.#options.home.genesis.chainId,
        raftDir: this.#raftDir,
        heartbeatTimeoutMs: raft.heartbeatTimeoutMs,
        electionTimeoutMs: raft.electionTimeoutMs,
        leaderLeaseTimeoutMs: raft.leaderLeaseTimeoutMs,
        sendTimeoutMs: raft.sendTimeoutMs,
        snapCount: raft.snapCount,
        mapSizeBytes: storage.mapSizeBytes,
        allowVolatile: storage.allowVolatile,
        voters: [...this.#addresses().keys()],
        appliedIndex: store.head.raftIndex,
        readiness: { isReady: true, appliedHeight: store.head.height, priority: raft.priority },
        network:
          raft.enable && listen.ok
            ? {
                listenHost: listen.value.host,
                listenPort: listen.value.port,
                peers: raft.peers.map(({ id, address }) => [id, address] as const),
                advertisedAddress: raft.advertiseAddr,
                allowFrom: raft.allowFrom,
              }
            : null,
      },
      {
        committed: (entries, commitIndex) => parts().sequencer.onCommitted(entries, commitIndex),
        snapshot: ({ last }) =>
          this.#fail(
            new SequencerError(
              {
                code: "BLOCKS_MISSING",
                height: store.head.height + 1,
                raftIndex: last.index,
              },
              `the cluster's log begins after entry ${last.index}, and this node's blocks end at height ` +
                `${store.head.height}. Copy the data directory of another member, stopped, to this node`,
            ),
          ),
        role: (report) => {
          listener.role(report);
          parts().sequencer.onRole(report);
        },
        events: (events) => {
          for (const { event, atMs } of events) this.#narrator.raftEvent(event, atMs);
        },
        transport: (event, atMs) => reporter.transportEvent(event, atMs),
        measured: (measurements) => reporter.record(measurements, parts().sequencer.appliedIndex),
        peerAsks: (_peerId, method, body) =>
          answerPeer(method, body, {
            takeOffer: (offer) => parts().sequencer.takeOffer(offer),
            confirmLeadership: () => parts().consensus.confirmLeadership(),
            clusterView: () => this.#view(store).ownClusterView(),
          }),
        failed: (error) => this.#fail(error),
      },
    );
  }

  #createSequencer(
    consensus: Consensus,
    executor: KvExecutor,
    store: BlockStore,
    genesis: { chainId: string; initialHeight: number; genesisTimeNs: bigint },
    listener: NodeListener,
  ): Sequencer {
    const { config, home } = this.#options;
    const { node, cluster, rpc, raft } = config;
    return new Sequencer(
      {
        nodeId: this.#nodeId,
        genesis,
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
        unreadyAfterMs: config.execution.unreadyAfterMs,
        catchUpTimeoutMs: 10 * raft.electionTimeoutMs,
        priority: raft.priority,
      },
      {
        consensus,
        store,
        executor,
        checkTx: (tx) => executor.checkTx(tx),
        signer: home.signer,
        signatures: new SignatureChecker(),
        listener,
        onFailure: (name, error) =>
          this.#fail(error instanceof Error ? error : new Error(`${name}: ${String(error)}`)),
      },
    );
  }

  #createRpc(
    consensus: Consensus,
    sequencer: Sequencer,
    executor: KvExecutor,
    store: BlockStore,
  ): RpcServer {
    const { config, adminToken } = this.#options;
    const address = parseSocketAddress(config.rpc.address);
    const { host, port } = address.ok ? address.value : { host: "0.0.0.0", port: 26657 };
    const view = new NodeView(this.#facts(), { blocks: store, consensus, sequencer, kv: executor });
    const perSecond = config.rpc.txRateLimit;
    return createRpcServer(
      {
        host,
        port,
        adminToken,
        txRate: perSecond === 0 ? null : { perSecond, burst: perSecond },
        limits: {
          bodyMaxBytes: 2 * config.rpc.txMaxBytes,
          connectionTimeoutMs:
            2 * (config.cluster.waitForLeaderTimeoutMs + config.cluster.txCommitTimeoutMs) + 60_000,
        },
        log: this.#log.child("rpc"),
        observer: rpcMetrics(this.#metrics),
        onFailure: (error) => this.#fail(error instanceof Error ? error : new Error(String(error))),
      },
      view,
    );
  }

  async #startMetrics(sequencer: Sequencer): Promise<void> {
    const { instrumentation } = this.#options.config;
    if (!instrumentation.prometheus) return;
    const stopReading = readOnScrape(this.#metrics, {
      sequencer,
      log: this.#log,
      directories: { data: this.#options.config.dbPath, raft: this.#raftDir },
    });
    this.#began("gauges", async () => stopReading());
    const address = parseSocketAddress(instrumentation.prometheusListenAddr);
    const { host, port } = address.ok ? address.value : { host: "", port: 26660 };
    const server = new MetricsServer(
      { host, port, maxScrapes: instrumentation.maxOpenConnections },
      { metrics: this.#metrics, log: this.#log.child("metrics") },
    );
    await server.start();
    this.#began("metrics", () => server.stop());
  }

  #view(store: BlockStore): NodeView {
    if (this.#parts === null) throw new Error("a node is viewed after its start");
    return new NodeView(this.#facts(), { ...this.#parts, blocks: store, kv: null });
  }

  #facts(): NodeFacts {
    const { config, home, version } = this.#options;
    return { nodeId: this.#nodeId, version, config, home, addresses: this.#addresses() };
  }

  /** All members by node_id; this one's address is what the configuration says of it. */
  #addresses(): ReadonlyMap<string, string> {
    const { raft } = this.#options.config;
    const own = raft.advertiseAddr ?? raft.raftAddr;
    if (!raft.enable) return new Map([[this.#nodeId, own]]);
    return new Map([
      [this.#nodeId, own],
      ...raft.peers.map(({ id, address }) => [id, address] as const),
    ]);
  }

  /** Throws if the node is being stopped: nothing more shall begin. What has begun is on the list. */
  #began(name: string, stop: () => Promise<void>): void {
    this.#started.push({ name, stop });
    if (this.#isStopping) throw new Error(`stopped while it was starting (${name})`);
  }

  #fail(error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#onFailure(error);
  }
}
