/**
 * What a node does with its role: it applies what is committed, builds blocks while it leads, takes
 * transactions in and passes them to the leader. Role changes end the old work before the new begins.
 */

import { sleep, TaskGroup } from "../base/task-group.ts";
import type { BlockSigner, SignatureChecker } from "../block/sign.ts";
import type { SubmitOutcome, SubmitRequest } from "../block/submit.ts";
import type { BlockPayload, ChainHead, Height } from "../block/types.ts";
import type { Executor, GenesisParameters } from "../execution/executor.ts";
import { AppliedIndex } from "./applied-index.ts";
import { type AppliedBlock, Applier, type Backlog } from "./applier.ts";
import type { BlockOperation } from "./chain-writer.ts";
import { answerOffer, Forwarder, type ForwarderOptions } from "./forwarder.ts";
import {
  type BlockSource,
  type ChainStore,
  type CommittedEntry,
  type ConsensusPort,
  type RaftRole,
  type ReceivedSnapshot,
  unknownRole,
} from "./ports.ts";
import type { ProducerOptions } from "./producer.ts";
import { Production } from "./production.ts";
import { type RaftHealth, type SlowDisk, wellRaft } from "./readiness.ts";
import {
  type Readiness,
  type ReadinessListener,
  type ReadinessOptions,
  ReadinessWatch,
} from "./readiness-watch.ts";
import { isSameWork, type SequencerState, stateFrom } from "./state.ts";
import { type SubmissionOptions, Submissions } from "./submission.ts";
import { type PendingTx, type PoolLimits, TxPool } from "./tx-pool.ts";
import { TxReview } from "./tx-review.ts";

export interface SequencerOptions extends ReadinessOptions {
  readonly nodeId: string;
  readonly genesis: GenesisParameters;
  readonly head: ChainHead;
  readonly production: Omit<ProducerOptions, "genesis" | "signer">;
  readonly submission: SubmissionOptions;
  readonly forwarding: ForwarderOptions;
  readonly pool: PoolLimits;
  readonly acceptsBlocksWithoutTxIds: boolean;
  /** How often transactions that nobody waits for are looked after. */
  readonly txReviewEveryMs: number;
  /** A leader that has not caught up after so long hands over. */
  readonly catchUpTimeoutMs: number;
}

export interface SequencerListener extends ReadinessListener {
  stateChanged(from: SequencerState, to: SequencerState): void;
  applied(applied: AppliedBlock & { readonly isOwn: boolean; readonly isLive: boolean }): void;
  refused(entry: CommittedEntry, payload: BlockPayload | null, reason: string): void;
  /** The leader does not take what this node's clients sent; it is offered again and again. */
  offerRefused(leaderId: string, reason: string): void;
  /** A block of this node, which leads, does not get into its log now; there will be another at this height. */
  blockNotTaken(height: number, reason: string): void;
  /** This node leads, and builds the first block only at the time of the genesis. */
  waitsForGenesis(untilMs: number): void;
  /** A transaction that this node had accepted will be in no block. */
  txDropped(txId: Uint8Array, reason: string): void;
  /** How long something took that is done once a block. */
  timed(operation: BlockOperation, durationMs: number): void;
  /** Each block of a backlog, its end (null), and what it was before. */
  backlogChanged(backlog: Backlog | null, last: Backlog | null): void;
}

export interface SequencerDependencies {
  readonly consensus: ConsensusPort & { setReadiness(readiness: Readiness): void };
  readonly store: ChainStore;
  /** The blocks of other nodes. */
  readonly source: BlockSource;
  readonly executor: Executor;
  readonly signer: BlockSigner;
  readonly signatures: SignatureChecker;
  readonly listener: SequencerListener;
  /** How slow the disk of the blocks is; null while it keeps up. */
  readonly slowDataDisk: () => SlowDisk | null;
  /** A task of the sequencer failed for good: the node must stop. */
  readonly onFailure: (name: string, error: unknown) => void;
}

export class Sequencer {
  readonly #options: SequencerOptions;
  readonly #dependencies: SequencerDependencies;
  readonly #pool: TxPool;
  readonly #applier: Applier;
  readonly #submissions: Submissions;
  readonly #forwarder: Forwarder;
  readonly #review: TxReview;
  readonly #readiness: ReadinessWatch;
  readonly #tasks: TaskGroup;
  readonly #production: Production;
  readonly #applied = new AppliedIndex();

  #state: SequencerState = { kind: "following" };
  #raft: RaftRole = unknownRole;
  #isDraining = false;
  #commitIndex = 0;
  /** null until it is known what log this node goes on with. */
  #baseHeight: number | null = null;
  #raftHealth = wellRaft;
  /** Up to here this node's pool was compared with every block. */
  #searchedThrough: Height;
  readonly #createdAtMs = performance.now();
  #appliedAtMs: number | null = null;

  constructor(options: SequencerOptions, dependencies: SequencerDependencies) {
    const { consensus, store, listener } = dependencies;
    this.#options = options;
    this.#dependencies = dependencies;
    this.#searchedThrough = options.head.height;
    this.#tasks = new TaskGroup(dependencies.onFailure);
    this.#pool = new TxPool(options.pool);
    this.#readiness = new ReadinessWatch(options, {
      executor: dependencies.executor,
      setReadiness: (readiness) => consensus.setReadiness(readiness),
      listener,
      facts: () => this.#readinessFacts(),
    });
    this.#applier = new Applier(
      {
        chainId: options.genesis.chainId,
        head: options.head,
        acceptsBlocksWithoutTxIds: options.acceptsBlocksWithoutTxIds,
      },
      {
        ...dependencies,
        listener: {
          applied: (applied) => this.#onApplied(applied),
          unidentified: (block) => this.#submissions.foundUnidentified(block),
          refused: (entry, payload, reason) => listener.refused(entry, payload, reason),
          reached: (index) => this.#onReached(index),
          timed: (operation, durationMs) => listener.timed(operation, durationMs),
          executionFailed: (height, error) => this.#readiness.executionFailed(height, error),
          executed: (height) => this.#readiness.executed(height),
          backlogChanged: (backlog, last) => {
            listener.backlogChanged(backlog, last);
            if (backlog?.kind !== last?.kind) this.#readiness.report();
          },
        },
      },
    );
    this.#submissions = new Submissions(options.submission, {
      pool: this.#pool,
      store,
      executor: dependencies.executor,
      leaderTerm: () => (this.#raft.leaderId === null ? null : this.#raft.term),
      onAdded: () => this.#forwarder.wake(),
    });
    this.#review = new TxReview(options.txReviewEveryMs, {
      pool: this.#pool,
      store,
      executor: dependencies.executor,
      onDropped: (txId, reason) => listener.txDropped(txId, reason),
    });
    this.#forwarder = new Forwarder(options.forwarding, {
      pool: this.#pool,
      consensus,
      searchedThrough: () => this.#searchedThrough,
      onRefused: (leaderId, reason) => listener.offerRefused(leaderId, reason),
      leader: () => {
        const { leaderId: id, term } = this.#raft;
        return id === null || id === options.nodeId ? null : { id, term };
      },
    });
    this.#production = this.#createProduction();
  }

  #createProduction(): Production {
    const { genesis, production } = this.#options;
    const { consensus, signer, store, executor, listener } = this.#dependencies;
    return new Production(
      { ...production, genesis, signer },
      {
        pool: this.#pool,
        executor,
        consensus,
        produced: (durationMs) => listener.timed("block_production", durationMs),
        notTaken: (height, reason) => listener.blockNotTaken(height, reason),
        waitsForGenesis: (untilMs) => listener.waitsForGenesis(untilMs),
        buildFailed: (height, error) => {
          this.#readiness.executionFailed(height, error);
          if (error.code === "EXECUTION_GAP") this.#applier.refill();
        },
        head: () => this.#applier.head,
        isKnownTx: (txId) => store.txLocation(txId) !== null,
        appliedAtMs: () => this.#appliedAtMs ?? this.#createdAtMs,
        whenApplied: (index, signal) => this.whenApplied(index, signal),
        unixMs: () => Date.now(),
        monotonicMs: () => performance.now(),
      },
      this.#tasks,
    );
  }

  get state(): SequencerState {
    return this.#state;
  }

  get head(): ChainHead {
    return this.#applier.head;
  }

  /** When this process applied its last block, on `performance`'s clock; null before the first. */
  get appliedAtMs(): number | null {
    return this.#appliedAtMs;
  }

  get appliedIndex(): number {
    return this.#applied.reached;
  }

  get commitIndex(): number {
    return this.#commitIndex;
  }

  get pool(): { readonly size: number; readonly bytes: number } {
    return this.#pool;
  }

  /** null if this node is fit to lead; else why not, and how far it is. */
  get unreadyReason(): string | null {
    return this.#readiness.reason;
  }

  /** null if this node is of use to clients, with so many committed entries left to apply; else why not. */
  unreadyReasonWithin(entriesBehindMax: number): string | null {
    return this.#readiness.reasonWithin(entriesBehindMax);
  }

  get isBehind(): boolean {
    return this.#readiness.isBehind;
  }

  /** How long the executor has failed, or has been silent; 0 while it answers. */
  get failingMs(): number {
    return this.#readiness.failingMs;
  }

  start(kept: Iterable<{ readonly txId: Uint8Array; readonly tx: Uint8Array }>): void {
    this.#submissions.restore(kept);
    this.#tasks.spawn("applier", (signal) => this.#applier.run(signal));
    this.#tasks.spawn("forwarder", (signal) => this.#forwarder.run(signal));
    this.#tasks.spawn("submissions", (signal) => this.#submissions.run(signal));
    this.#tasks.spawn("readiness", (signal) => this.#readiness.run(signal));
    this.#tasks.spawn("review", (signal) => this.#review.run(signal));
  }

  /** Ends production for good; applying goes on. The node hands leadership over meanwhile. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#readiness.report();
    this.#update();
    await this.#production.done;
  }

  async stop(): Promise<void> {
    this.#isDraining = true;
    this.#update();
    await this.#production.done;
    await this.#tasks.stop();
  }

  /**
   * The log that this node goes on with: up to `appliedIndex` it is applied. Blocks up to `baseHeight` are
   * older than it, and come from nowhere but another member's store.
   */
  begin({ appliedIndex, baseHeight }: { appliedIndex: number; baseHeight: number }): void {
    this.#commitIndex = Math.max(this.#commitIndex, appliedIndex);
    this.#baseHeight = baseHeight;
    this.#applier.begin(appliedIndex);
    this.#readiness.report();
  }

  onRole(role: RaftRole): void {
    const hasNewLeader = role.leaderId !== this.#raft.leaderId || role.term !== this.#raft.term;
    const hasLostLead = this.#raft.role === "leader" && role.role !== "leader";
    this.#raft = role;
    this.#commitIndex = Math.max(this.#commitIndex, role.commitIndex);
    if (hasLostLead) this.#pool.dropForwarded();
    this.#update();
    this.#readiness.report();
    if (hasNewLeader) this.#forwarder.wake();
  }

  onRaftHealth(health: RaftHealth): void {
    this.#raftHealth = health;
    this.#readiness.report();
  }

  onCommitted(entries: readonly CommittedEntry[], commitIndex: number): void {
    this.#commitIndex = Math.max(this.#commitIndex, commitIndex);
    this.#applier.enqueue(entries);
  }

  /** In place of entries that the log does not hold any more. */
  onSnapshot(snapshot: ReceivedSnapshot): void {
    this.#commitIndex = Math.max(this.#commitIndex, snapshot.index);
    this.#applier.enqueueSnapshot(snapshot);
  }

  submit(request: SubmitRequest): Promise<SubmitOutcome> {
    return this.#submissions.submit(request);
  }

  /** Another node offers transactions to this one as the leader. */
  takeOffer(body: Uint8Array): number {
    const isLeading = this.#raft.role === "leader" && !this.#isDraining;
    const lacksBlocks = this.#lacksBlocks || this.#applier.mayFetch;
    const identifiedFrom = lacksBlocks ? null : this.#dependencies.store.identifiedFrom;
    return answerOffer(body, { isLeading, identifiedFrom, take: (tx) => this.#takeOffered(tx) });
  }

  #takeOffered({ id, tx }: Pick<PendingTx, "id" | "tx">): boolean {
    const known = this.#pool.get(id);
    if (known !== null) {
      this.#pool.keepFor(known, "peer");
      return true;
    }
    if (this.#dependencies.store.txLocation(id) !== null) return true;
    if (!this.#pool.hasRoomForOffer(tx)) return false;
    // Copies: what was offered is a view into a larger message.
    this.#pool.add({ id: id.slice(), tx: tx.slice(), origin: "peer", isDurable: false });
    return true;
  }

  /** Resolves once everything up to `index` is applied, or `signal` aborts. */
  whenApplied(index: number, signal: AbortSignal): Promise<void> {
    return this.#applied.whenReached(index, signal);
  }

  #onApplied(applied: AppliedBlock): void {
    const { block } = applied;
    this.#appliedAtMs = performance.now();
    for (const [index, txId] of block.txIds.entries()) {
      this.#submissions.committed(txId, { height: block.height, index });
    }
    this.#searchedThrough = block.height;
    const isOwn = this.#raft.role === "leader" && this.#raft.term === block.raftTerm;
    const isLive = block.raftIndex >= this.#commitIndex;
    this.#dependencies.listener.applied({ ...applied, isOwn, isLive });
  }

  #onReached(index: number): void {
    this.#applied.advance(index);
    this.#dependencies.consensus.applied(index);
    if (this.#state.kind === "catchingUp") this.#update();
  }

  #update(): void {
    const leads = this.#raft.role === "leader" && this.#raft.hasJoined;
    const next = stateFrom({
      isRecovering: this.#raft.isRecovering,
      isDraining: this.#isDraining,
      leads: leads ? { term: this.#raft.term, firstCommitIndex: this.#raft.commitIndex } : null,
      appliedIndex: this.#applied.reached,
      lacksBlocks: this.#lacksBlocks,
    });
    const last = this.#state;
    if (isSameWork(last, next)) return;
    this.#state = next;
    this.#dependencies.listener.stateChanged(last, next);
    this.#production.end();
    if (next.kind === "producing") this.#production.begin(next.term);
    if (next.kind === "catchingUp") this.#handOverIfSlow(next.term);
  }

  #handOverIfSlow(term: number): void {
    this.#tasks.spawn("catch-up limit", async (signal) => {
      await sleep(this.#options.catchUpTimeoutMs, signal);
      const isStillBehind = this.#state.kind === "catchingUp" && this.#state.term === term;
      if (isStillBehind && !signal.aborted) this.#dependencies.consensus.transferLeadership(null);
    });
  }

  get #lacksBlocks(): boolean {
    return this.#baseHeight === null || this.#applier.head.height < this.#baseHeight;
  }

  #readinessFacts() {
    return {
      isDraining: this.#isDraining,
      isRecovering: this.#raft.isRecovering,
      hasLog: this.#baseHeight !== null,
      missingHeight: this.#lacksBlocks ? this.#baseHeight : null,
      backlog: this.#applier.backlog,
      raft: this.#raftHealth,
      slowDataDisk: this.#dependencies.slowDataDisk(),
      behind: this.#commitIndex - this.#applied.reached,
      appliedHeight: this.#applier.head.height,
      hasJoined: this.#raft.hasJoined,
    };
  }
}
