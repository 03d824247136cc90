/**
 * What a node does with its role: it applies what is committed, builds blocks while it leads, takes
 * transactions in and passes them to the leader. Role changes end the old work before the new begins.
 */

import { sleep, TaskGroup } from "../base/task-group.ts";
import type { BlockSigner, SignatureChecker } from "../block/sign.ts";
import type { SubmitOutcome, SubmitRequest } from "../block/submit.ts";
import type { BlockPayload, ChainHead } from "../block/types.ts";
import type { Executor, GenesisParameters } from "../execution/executor.ts";
import { type AppliedBlock, Applier, type Backlog } from "./applier.ts";
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
import { type ProducerOptions, produceBlocks } from "./producer.ts";
import { leaderlessReason, readyWord, unreadyDetail, whyUnready } from "./readiness.ts";
import { isSameWork, type SequencerState, stateFrom } from "./state.ts";
import { type SubmissionOptions, Submissions } from "./submission.ts";
import { type PoolLimits, TxPool } from "./tx-pool.ts";

export interface SequencerOptions {
  readonly nodeId: string;
  readonly genesis: GenesisParameters;
  readonly head: ChainHead;
  readonly production: Omit<ProducerOptions, "genesis" | "signer">;
  readonly submission: SubmissionOptions;
  readonly forwarding: ForwarderOptions;
  readonly pool: PoolLimits;
  readonly acceptsBlocksWithoutTxIds: boolean;
  /** An executor that fails for so long makes this node unready (P5). */
  readonly unreadyAfterMs: number;
  /** A leader that has not caught up after so long hands over. */
  readonly catchUpTimeoutMs: number;
  readonly priority: number;
}

export interface SequencerListener {
  stateChanged(from: SequencerState, to: SequencerState): void;
  applied(applied: AppliedBlock & { readonly isOwn: boolean; readonly isLive: boolean }): void;
  refused(entry: CommittedEntry, payload: BlockPayload | null, reason: string): void;
  readinessChanged(isReady: boolean, reason: string): void;
  /** The leader does not take what this node's clients sent; it is offered again and again. */
  offerRefused(leaderId: string, reason: string): void;
  executionFailed(height: number, error: Error): void;
  executionRecovered(height: number, downMs: number): void;
  /** Each block of a backlog, its end (null), and what it was before. */
  backlogChanged(backlog: Backlog | null, last: Backlog | null): void;
}

export interface SequencerDependencies {
  readonly consensus: ConsensusPort & {
    setReadiness(readiness: {
      readonly isReady: boolean;
      readonly appliedHeight: number;
      readonly priority: number;
    }): void;
  };
  readonly store: ChainStore;
  /** The blocks of other nodes. */
  readonly source: BlockSource;
  readonly executor: Executor;
  readonly signer: BlockSigner;
  readonly signatures: SignatureChecker;
  readonly listener: SequencerListener;
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
  readonly #tasks: TaskGroup;

  #state: SequencerState = { kind: "following" };
  #raft: RaftRole = unknownRole;
  #isDraining = false;
  #commitIndex = 0;
  /** 0 until the executor has all that is stored: nothing is applied before it is executed. */
  #appliedIndex = 0;
  /** null until it is known what log this node goes on with. */
  #baseHeight: number | null = null;
  #appliedAtMs = performance.now();
  #failingSinceMs: number | null = null;
  #readiness: { readonly appliedHeight: number; readonly reason: string | null } | null = null;
  /** What was last said of it in the log; at the start everybody knows that there is no leader yet. */
  #toldReadiness = leaderlessReason;
  #production: { readonly abort: AbortController; readonly done: Promise<void> } | null = null;
  readonly #whenReached = new Set<{ readonly index: number; readonly finish: () => void }>();

  constructor(options: SequencerOptions, dependencies: SequencerDependencies) {
    const { consensus, store, listener } = dependencies;
    this.#options = options;
    this.#dependencies = dependencies;
    this.#tasks = new TaskGroup(dependencies.onFailure);
    this.#pool = new TxPool(options.pool);
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
          refused: (entry, payload, reason) => listener.refused(entry, payload, reason),
          reached: (index) => this.#onReached(index),
          executionFailed: (height, error) => this.#executionFailed(height, error),
          executionRecovered: (height, downMs) => {
            this.#failingSinceMs = null;
            listener.executionRecovered(height, downMs);
          },
          backlogChanged: (backlog, last) => {
            listener.backlogChanged(backlog, last);
            if (backlog?.kind !== last?.kind) this.#reportReadiness();
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
    this.#forwarder = new Forwarder(options.forwarding, {
      pool: this.#pool,
      consensus,
      onRefused: (leaderId, reason) => listener.offerRefused(leaderId, reason),
      leader: () => {
        const { leaderId: id, term } = this.#raft;
        return id === null || id === options.nodeId ? null : { id, term };
      },
    });
  }

  get state(): SequencerState {
    return this.#state;
  }

  get head(): ChainHead {
    return this.#applier.head;
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  get commitIndex(): number {
    return this.#commitIndex;
  }

  get pool(): { readonly size: number; readonly bytes: number } {
    return this.#pool;
  }

  /** null if this node is fit to lead; else why not, and how far it is. */
  get unreadyReason(): string | null {
    return unreadyDetail(this.#whyUnready(), this.#applier.backlog);
  }

  start(kept: Iterable<{ readonly txId: Uint8Array; readonly tx: Uint8Array }>): void {
    this.#submissions.restore(kept);
    this.#tasks.spawn("applier", (signal) => this.#applier.run(signal));
    this.#tasks.spawn("forwarder", (signal) => this.#forwarder.run(signal));
    this.#tasks.spawn("submissions", (signal) => this.#submissions.run(signal));
    this.#tasks.spawn("readiness", (signal) => this.#watchReadiness(signal));
  }

  /** Ends production for good; applying goes on. The node hands leadership over meanwhile. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#reportReadiness();
    this.#update();
    await this.#production?.done;
  }

  async stop(): Promise<void> {
    this.#isDraining = true;
    this.#update();
    await this.#production?.done;
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
    this.#reportReadiness();
  }

  onRole(role: RaftRole): void {
    const hasNewLeader = role.leaderId !== this.#raft.leaderId || role.term !== this.#raft.term;
    const hasLostLead = this.#raft.role === "leader" && role.role !== "leader";
    this.#raft = role;
    this.#commitIndex = Math.max(this.#commitIndex, role.commitIndex);
    if (hasLostLead) this.#pool.dropForwarded();
    this.#update();
    this.#reportReadiness();
    if (hasNewLeader) this.#forwarder.wake();
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
    return answerOffer(body, isLeading, ({ id, tx }) => {
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
    });
  }

  /** Resolves once everything up to `index` is applied, or `signal` aborts. */
  whenApplied(index: number, signal: AbortSignal): Promise<void> {
    if (this.#appliedIndex >= index || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = () => {
        signal.removeEventListener("abort", finish);
        this.#whenReached.delete(waiting);
        resolve();
      };
      const waiting = { index, finish };
      signal.addEventListener("abort", finish, { once: true });
      this.#whenReached.add(waiting);
    });
  }

  #executionFailed(height: number, error: Error): void {
    this.#failingSinceMs ??= performance.now();
    this.#dependencies.listener.executionFailed(height, error);
  }

  #onApplied(applied: AppliedBlock): void {
    const { block } = applied;
    this.#appliedAtMs = performance.now();
    if (this.#failingSinceMs !== null) {
      // It could not build, and now it has executed.
      const downMs = this.#appliedAtMs - this.#failingSinceMs;
      this.#failingSinceMs = null;
      this.#dependencies.listener.executionRecovered(block.height, downMs);
    }
    for (const [index, txId] of block.txIds.entries()) {
      this.#submissions.committed(txId, { height: block.height, index });
    }
    const isOwn = this.#raft.role === "leader" && this.#raft.term === block.raftTerm;
    const isLive = block.raftIndex >= this.#commitIndex;
    this.#dependencies.listener.applied({ ...applied, isOwn, isLive });
  }

  #onReached(index: number): void {
    this.#appliedIndex = index;
    this.#dependencies.consensus.applied(index);
    for (const waiting of [...this.#whenReached]) if (waiting.index <= index) waiting.finish();
    if (this.#state.kind === "catchingUp") this.#update();
  }

  #update(): void {
    const leads = this.#raft.role === "leader" && this.#raft.hasJoined;
    const next = stateFrom({
      isRecovering: this.#raft.isRecovering,
      isDraining: this.#isDraining,
      leads: leads ? { term: this.#raft.term, firstCommitIndex: this.#raft.commitIndex } : null,
      appliedIndex: this.#appliedIndex,
      lacksBlocks: this.#lacksBlocks,
      canExecute: this.#failingSinceMs === null,
    });
    const last = this.#state;
    if (isSameWork(last, next)) return;
    this.#state = next;
    this.#dependencies.listener.stateChanged(last, next);
    this.#production?.abort.abort();
    if (next.kind === "producing") this.#beginProducing(next.term);
    if (next.kind === "catchingUp") this.#handOverIfSlow(next.term);
  }

  #beginProducing(term: number): void {
    const { genesis, production } = this.#options;
    const { consensus, signer, store, executor } = this.#dependencies;
    const abort = new AbortController();
    const before = this.#production?.done ?? Promise.resolve();
    const options = { ...production, genesis, signer };
    const produce = async () => {
      await before;
      await produceBlocks(
        term,
        options,
        {
          pool: this.#pool,
          executor,
          buildFailed: (height, error) => this.#executionFailed(height, error),
          consensus,
          head: () => this.#applier.head,
          isKnownTx: (txId) => store.txLocation(txId) !== null,
          appliedAtMs: () => this.#appliedAtMs,
          whenApplied: (index, signal) => this.whenApplied(index, signal),
          unixMs: () => Date.now(),
          monotonicMs: () => performance.now(),
        },
        abort.signal,
      );
    };
    const done = new Promise<void>((resolve) => {
      this.#tasks.spawn("producer", () => produce().finally(resolve));
    });
    this.#production = { abort, done };
  }

  #handOverIfSlow(term: number): void {
    this.#tasks.spawn("catch-up limit", async (signal) => {
      await sleep(this.#options.catchUpTimeoutMs, signal);
      const isStillBehind = this.#state.kind === "catchingUp" && this.#state.term === term;
      if (isStillBehind && !signal.aborted) this.#dependencies.consensus.transferLeadership(null);
    });
  }

  async #watchReadiness(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#reportReadiness();
      await sleep(100, signal);
    }
  }

  #reportReadiness(): void {
    const reason = this.#whyUnready();
    const appliedHeight = this.#applier.head.height;
    const last = this.#readiness;
    if (last?.reason !== reason || last.appliedHeight !== appliedHeight) {
      this.#readiness = { appliedHeight, reason };
      const { priority } = this.#options;
      const isReady = reason === null;
      this.#dependencies.consensus.setReadiness({ isReady, appliedHeight, priority });
    }
    // Fit to lead is one thing, of use to clients another: for that a leader must be there as well.
    const told = reason ?? (this.#raft.hasJoined ? readyWord : leaderlessReason);
    if (told === this.#toldReadiness) return;
    this.#toldReadiness = told;
    this.#dependencies.listener.readinessChanged(told === readyWord, told);
  }

  get #lacksBlocks(): boolean {
    return this.#baseHeight === null || this.#applier.head.height < this.#baseHeight;
  }

  #whyUnready(): string | null {
    const nowMs = performance.now();
    return whyUnready({
      isDraining: this.#isDraining,
      isRecovering: this.#raft.isRecovering,
      hasLog: this.#baseHeight !== null,
      missingHeight: this.#lacksBlocks ? this.#baseHeight : null,
      backlog: this.#applier.backlog,
      failingMs: nowMs - (this.#failingSinceMs ?? nowMs),
      unreadyAfterMs: this.#options.unreadyAfterMs,
      behind: this.#commitIndex - this.#appliedIndex,
    });
  }
}
