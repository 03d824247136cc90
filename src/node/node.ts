/**
 * The composition root: builds a node from its configuration, connects the parts, starts them in the
 * order of their dependencies and stops them in reverse. It decides nothing else.
 */

import { describeError } from "../base/coded-error.ts";
import type { Consensus, Listening } from "../consensus/consensus.ts";
import { ExecutionError } from "../execution/errors.ts";
import type { Executor } from "../execution/executor.ts";
import { readMemberRecord, writeMemberRecord } from "../home/member-record.ts";
import type { RootLogger } from "../observability/logger.ts";
import { createMetrics } from "../observability/metrics.ts";
import { Narrator } from "../observability/narrate.ts";
import type { StartingServer } from "../rpc/starting-server.ts";
import type { Sequencer } from "../sequencer/sequencer.ts";
import type { BlockStore } from "../storage/block-store.ts";
import type { DirectoryLock } from "../storage/directory-lock.ts";
import { lockDirectory, openBlockStore } from "../storage/open-block-store.ts";
import type { DiskObserver } from "../storage/watched-disk.ts";
import {
  addressesOf,
  asError,
  factsOf,
  genesisOf,
  type NodeContext,
  type NodeOptions,
  nodeIdOf,
  raftDirOf,
} from "./context.ts";
import { watchDataDisk } from "./data-disk.ts";
import { NodeListener } from "./node-listener.ts";
import { NodeView } from "./node-view.ts";
import { readOnScrape, type ScrapeSources } from "./scrape-gauges.ts";
import { compareInBackground, sharedSettingsOf } from "./shared-settings.ts";
import { applySoloLog, type SoloLogDependencies } from "./solo-log.ts";
import { createConsensus } from "./wire-consensus.ts";
import { createExecution, type Execution, untilAvailable } from "./wire-execution.ts";
import { createP2p } from "./wire-p2p.ts";
import { createPruner } from "./wire-pruning.ts";
import { createRepairer } from "./wire-repair.ts";
import { createSequencer } from "./wire-sequencer.ts";
import { createMetricsServer, createRpc, createStartingServer } from "./wire-servers.ts";

export interface NodeDependencies {
  readonly log: RootLogger;
  /** The node cannot go on; its owner stops it and ends the process. Called once. */
  readonly onFailure: (error: Error) => void;
}

interface Parts {
  readonly consensus: Consensus;
  readonly sequencer: Sequencer;
  readonly listener: NodeListener;
}

/** Told to stop while it was starting: the start did not fail by itself. */
export class StartStopped extends Error {
  override readonly name = "StartStopped";

  constructor(cause: unknown) {
    super("the node was told to stop while it was starting", { cause });
  }
}

/** How long a stop lets the execution client end the call that is under way. */
const executionGraceMs = 5_000;

export class Node {
  readonly #context: NodeContext;
  readonly #onFailure: (error: Error) => void;
  /** What was started, in that order, each with how to stop it. */
  readonly #started: { readonly name: string; readonly stop: () => Promise<void> }[] = [];
  #hasFailed = false;
  readonly #stopping = new AbortController();
  #stopped: Promise<void> = Promise.resolve();
  /** What was told of the members is on disk, one after the other. */
  #recorded: Promise<void> = Promise.resolve();
  #hasMembersByLog = false;
  #parts: Parts | null = null;
  #rpcAddress: Listening | null = null;

  constructor(options: NodeOptions, { log, onFailure }: NodeDependencies) {
    const { config, home, version } = options;
    const nodeId = nodeIdOf(config);
    const metrics = createMetrics({
      namespace: config.instrumentation.namespace,
      chainId: home.genesis.chainId,
      nodeId,
      version,
    });
    const blockTimeMs = config.node.lazyMode ? null : config.node.blockTimeMs;
    this.#onFailure = onFailure;
    this.#context = {
      options,
      nodeId,
      raftDir: raftDirOf(config),
      genesis: genesisOf(home),
      addresses: addressesOf(config),
      log,
      metrics,
      narrator: new Narrator({ nodeId, blockTimeMs }, { log, metrics }),
      fail: (error) => this.#fail(error),
    };
  }

  /** Where HTTP is served; null before the start. */
  get rpcAddress(): Listening | null {
    return this.#rpcAddress;
  }

  /** Resolves once everything runs. If a part cannot start, stops the others and throws what was wrong; a StartStopped if it was told to stop before. */
  async start(): Promise<void> {
    try {
      await this.#startParts();
    } catch (error) {
      const wasStopped = this.#stopping.signal.aborted;
      await this.stop();
      throw wasStopped ? new StartStopped(error) : error;
    }
  }

  /**
   * Ends this node's leadership: no new blocks, and another member takes over if there is one (P9).
   * Resolves when it has, or after `timeoutMs`.
   */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#parts === null) return;
    const { sequencer, consensus, listener } = this.#parts;
    const { addresses, log } = this.#context;
    const wasLeader = listener.isLeader;
    await sequencer.drain();
    const hasOthers = addresses.size > 1;
    if (!wasLeader || !hasOthers) return;
    const hasHandedOver = await listener.handOver(
      () => consensus.transferLeadership(null),
      timeoutMs,
    );
    if (!hasHandedOver) log.warn({}, "no other member took over before the shutdown");
  }

  /** Stops what was started, in reverse; a start that is under way fails. May be called twice. */
  stop(): Promise<void> {
    this.#stopping.abort();
    this.#stopped = this.#stopped.then(() => this.#stopParts());
    return this.#stopped;
  }

  async #stopParts(): Promise<void> {
    for (let part = this.#started.pop(); part !== undefined; part = this.#started.pop()) {
      try {
        await part.stop();
      } catch (error) {
        const reason = describeError(error);
        this.#context.log.error({ part: part.name, reason }, "stopping failed");
      }
    }
  }

  async #startParts(): Promise<void> {
    const context = this.#context;
    const listener = new NodeListener(context.narrator, context.metrics);
    const dataDisk = watchDataDisk(context, listener);
    const lock = await lockDirectory(context.options.config.dbPath);
    this.#began("data directory", () => lock.release());
    await this.#startMetrics();
    const startingServer = await this.#sayThatItStarts();
    const { executor, kv, wallets, store } = await this.#openChain(lock, dataDisk);
    if (!context.options.config.raft.enable && store.earliestHeight === null) {
      const sentence =
        "raft.enable is false: this node begins a chain of its own, alone. If it is to be a member of a cluster, stop it and " +
        "set the keys of raft first";
      context.log.warn({}, sentence);
    }
    await this.#applySoloLog({ store, executor });
    const { host, source, awaitedTxIds } = createP2p(context, {
      store,
      leads: () => listener.isLeader,
      askPeer: (...question) => this.#running.consensus.askPeer(...question),
    });
    this.#began("p2p", () => host.stop());
    await host.start();
    const repairer = createRepairer(context, { store, host });
    repairer.start();
    this.#began("repair", () => repairer.stop());
    const consensus = createConsensus(context, {
      store,
      awaitedTxIds,
      isExecuted: await isExecuted(executor, store),
      onMembers: (members) => {
        this.#hasMembersByLog = true;
        this.#recordMembers(members);
      },
      listener,
      sequencer: () => this.#running.sequencer,
      view: () =>
        new NodeView(factsOf(context), {
          ...this.#running,
          blocks: store,
          p2p: host,
          kv: null,
          ethereum: null,
        }),
    });
    const parts = { consensus, executor, store, source, listener, dataDisk };
    const sequencer = createSequencer(context, parts);
    this.#parts = { consensus, sequencer, listener };
    // It ends after consensus, which may have something to record until then.
    this.#began("member record", () => this.#recorded);
    this.#began("consensus", () => consensus.stop());
    const { listening } = await consensus.start();
    if (!this.#hasMembersByLog) {
      const known = readMemberRecord(context.options.config)?.members ?? [];
      this.#recordMembers([...known, ...context.addresses.keys()]);
    }
    await this.#recorded;
    const comparing = compareInBackground(
      context,
      () => sharedSettingsOf(context, store),
      (...question) => consensus.askPeer(...question),
    );
    this.#began("settings", () => comparing.stop());
    sequencer.start(store.keptTxs());
    this.#began("sequencer", () => this.#stopSequencer(sequencer, kv === null ? executor : null));

    const view = new NodeView(factsOf(context), {
      blocks: store,
      consensus,
      sequencer,
      p2p: host,
      kv,
      ethereum: wallets,
    });
    const rpc = createRpc(context, view);
    await startingServer.stop();
    this.#rpcAddress = await rpc.start();
    this.#began("rpc", () => rpc.stop());
    const pruner = createPruner(context, { store, kv, consensus });
    pruner?.start();
    this.#began("pruning", async () => pruner?.stop());
    this.#readGauges({ sequencer, blocks: store, p2p: host });
    context.log.info(
      {
        node: context.nodeId,
        chain: context.genesis.chainId,
        height: store.head.height,
        rpc: addressText(this.#rpcAddress),
        ...(listening === null ? {} : { raft: addressText(listening) }),
      },
      "node started",
    );
  }

  async #applySoloLog(dependencies: SoloLogDependencies): Promise<void> {
    const applying = applySoloLog(this.#context, dependencies, this.#stopping.signal);
    // What it uses is not closed before it has ended, however it does.
    const ended = applying.catch(() => {});
    this.#began("solo log", () => ended);
    await applying;
  }

  /**
   * From here on its blocks are a cluster's, whatever its configuration says one day. Not before raft_dir has been seen
   * to belong to this node: a start that is refused changes nothing on the disk. Before the log tells the members they are those
   * configured and those recorded: a value that was cut off must not make fewer of them.
   */
  #recordMembers(members: readonly string[]): void {
    const { options, log, fail } = this.#context;
    const { config } = options;
    if (!config.raft.enable) return;
    const write = () =>
      writeMemberRecord(config, members, (reason) =>
        log.info({ reason }, "the members are recorded beside the blocks only"),
      );
    this.#recorded = this.#recorded.then(write).catch((error) => fail(asError(error)));
  }

  async #openChain(
    lock: DirectoryLock,
    disk: DiskObserver,
  ): Promise<Execution & { readonly store: BlockStore }> {
    const { options, genesis } = this.#context;
    const { config, home } = options;
    const execution = createExecution(this.#context);
    const { executor, wallets } = execution;
    this.#began("wallets", async () => wallets?.close());
    this.#began("executor", () => executor.close());
    const { appHash } = await untilAvailable(this.#context, this.#stopping.signal, () =>
      executor.initChain(genesis),
    );
    const store = await openBlockStore({
      directory: config.dbPath,
      lock,
      genesis: { ...genesis, genesisHash: home.genesisHash, appHash },
      txWindow: config.cluster.txIdentityWindow,
      fileMaxBytes: config.storage.mapSizeBytes,
      disk,
    });
    this.#began("block store", () => store.close());
    return { ...execution, store };
  }

  /** A client that hangs would hold up the stop for longer than there is: after a while its calls are given up. */
  async #stopSequencer(sequencer: Sequencer, client: Executor | null): Promise<void> {
    const timer = setTimeout(() => void client?.close(), executionGraceMs);
    await sequencer.stop();
    clearTimeout(timer);
  }

  /** Until HTTP is served. Before all that others notice: a start whose address is taken is refused, and changes nothing. */
  async #sayThatItStarts(): Promise<StartingServer> {
    const server = createStartingServer(this.#context);
    await server.start();
    this.#began("starting server", () => server.stop());
    return server;
  }

  /** Before all that takes its time: what the node waits for is to be seen, too. */
  async #startMetrics(): Promise<void> {
    if (!this.#context.options.config.instrumentation.prometheus) return;
    const server = createMetricsServer(this.#context);
    await server.start();
    this.#began("metrics", () => server.stop());
  }

  #readGauges(sources: Pick<ScrapeSources, "sequencer" | "blocks" | "p2p">): void {
    const { options, metrics, log, raftDir } = this.#context;
    const { instrumentation, dbPath } = options.config;
    if (!instrumentation.prometheus) return;
    const directories = { data: dbPath, raft: raftDir };
    const stopReading = readOnScrape(metrics, { ...sources, log, directories });
    this.#began("gauges", async () => stopReading());
  }

  get #running(): Parts {
    if (this.#parts === null) throw new Error("the consensus thread speaks before its start");
    return this.#parts;
  }

  /** Throws if the node is being stopped: nothing more shall begin. What has begun is on the list. */
  #began(name: string, stop: () => Promise<void>): void {
    this.#started.push({ name, stop });
    if (this.#stopping.signal.aborted) throw new Error(`stopped while it was starting (${name})`);
  }

  #fail(error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    // A process that exits waits for what its disks have under way, and would send heartbeats for as long.
    this.#parts?.consensus.halt();
    this.#onFailure(error);
  }
}

function addressText({ host, port }: Listening): string {
  return `${host}:${port}`;
}

/** Of an executor that does not answer nobody knows; it is asked again, by the sequencer. */
async function isExecuted(executor: Executor, { head }: BlockStore): Promise<boolean> {
  try {
    return (await executor.head()).height >= head.height;
  } catch (error) {
    if (error instanceof ExecutionError && error.code === "EXECUTION_UNAVAILABLE") return false;
    throw error;
  }
}
