/** A sequencer on a real block store and executor, over a log of the test's own. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { toHex } from "../../src/base/bytes.ts";
import { privateKeyFromSeed } from "../../src/block/ed25519.ts";
import { BlockSigner, SignatureChecker } from "../../src/block/sign.ts";
import { KvExecutor } from "../../src/execution/kv.ts";
import type { AppliedBlock, Backlog } from "../../src/sequencer/applier.ts";
import type {
  BlockSource,
  CommittedEntry,
  ConsensusPort,
  PeerReply,
  ProposalAnswer,
} from "../../src/sequencer/ports.ts";
import {
  Sequencer,
  type SequencerDependencies,
  type SequencerListener,
  type SequencerOptions,
} from "../../src/sequencer/sequencer.ts";
import type { SequencerState } from "../../src/sequencer/state.ts";
import type { BlockStore } from "../../src/storage/block-store.ts";
import { type BlockStoreOptions, openBlockStore } from "../../src/storage/open-block-store.ts";

export const signer = new BlockSigner(privateKeyFromSeed(new Uint8Array(32).fill(7)));

export const genesis = {
  chainId: "test",
  initialHeight: 1,
  genesisTimeNs: 1_700_000_000_000_000_000n,
};

export interface Chain {
  readonly store: BlockStore;
  readonly executor: KvExecutor;
  close(): Promise<void>;
}

/** An empty chain in a directory of its own, or one that is opened again. */
export async function openChain(
  directory = mkdtempSync(join(tmpdir(), "sequencer-")),
  options: Partial<BlockStoreOptions> = {},
): Promise<Chain & { readonly directory: string; remove(): Promise<void> }> {
  const executor = new KvExecutor({ directory });
  const { appHash } = await executor.initChain(genesis);
  const store = await openBlockStore({
    directory,
    genesis: { ...genesis, genesisHash: new Uint8Array(32), appHash },
    txWindow: 1000,
    ...options,
  });
  const close = async () => {
    await store.close();
    await executor.close();
  };
  const remove = async () => {
    await close();
    rmSync(directory, { recursive: true });
  };
  return { directory, store, executor, close, remove };
}

/** A log with one member: commits what it is given, unless the test says otherwise. */
export class TestLog implements ConsensusPort {
  readonly entries: CommittedEntry[] = [];
  readonly offers: { readonly peerId: string; readonly body: Uint8Array }[] = [];
  appliedIndex = 0;
  transfers = 0;
  readiness: { readonly isReady: boolean }[] = [];
  hasLease = true;
  /** What becomes of a proposal. */
  fate: "commit" | "lose" | "hold" | "garble" = "commit";
  replyToOffer: PeerReply | Promise<PeerReply> = {
    kind: "answered",
    status: 200,
    body: new Uint8Array(0),
  };
  onCommitted: (entries: readonly CommittedEntry[], commitIndex: number) => void = () => {};
  #held: (() => void)[] = [];

  /** Appends a committed entry. */
  commit(term: number, data: Uint8Array | null, kind = "command"): number {
    const index = this.entries.length + 1;
    const entry = { index, term, kind, data };
    this.entries.push(entry);
    this.onCommitted([entry], index);
    return index;
  }

  propose(term: number, data: Uint8Array): Promise<ProposalAnswer> {
    if (this.fate === "lose") return Promise.resolve({ kind: "lost" });
    return new Promise((resolve) => {
      const logged = this.fate === "garble" ? bytes("garbage") : data;
      const commit = () => resolve({ kind: "committed", index: this.commit(term, logged), term });
      if (this.fate === "hold") this.#held.push(commit);
      else commit();
    });
  }

  get heldCount(): number {
    return this.#held.length;
  }

  release(): void {
    for (const commit of this.#held.splice(0)) commit();
  }

  applied(index: number): void {
    this.appliedIndex = index;
  }

  setReadiness(readiness: { readonly isReady: boolean }): void {
    this.readiness.push(readiness);
  }

  holdsLease(): boolean {
    return this.hasLease;
  }

  transferLeadership(): void {
    this.transfers++;
  }

  askPeer(peerId: string, _method: string, body: Uint8Array): Promise<PeerReply> {
    this.offers.push({ peerId, body });
    return Promise.resolve(this.replyToOffer);
  }
}

/** Other nodes that serve nothing: a backfill waits. */
export const noPeers: BlockSource = {
  txIds: () => new Promise(() => {}),
  blocks: (_gap, signal) => ({
    [Symbol.asyncIterator]: () => ({
      next: () =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        }),
    }),
  }),
};

export interface Recorded {
  readonly states: SequencerState["kind"][];
  readonly blocks: AppliedBlock[];
  readonly refusals: string[];
  readonly offersRefused: string[];
  readonly dropped: string[];
  readonly notTaken: string[];
  readonly backlogs: (Backlog | null)[];
  readonly failures: unknown[];
  /** What was said to have taken some time. */
  readonly timed: Set<string>;
}

export function startSequencer(
  chain: Chain,
  log: TestLog,
  {
    source = noPeers,
    slowDataDisk = () => null,
    baseHeight = 0,
    ...options
  }: Partial<SequencerOptions> & {
    readonly baseHeight?: number;
    readonly blockTimeMs?: number;
    readonly source?: BlockSource;
    readonly slowDataDisk?: SequencerDependencies["slowDataDisk"];
  } = {},
): { readonly sequencer: Sequencer; readonly recorded: Recorded } {
  const recorded: Recorded = {
    states: [],
    blocks: [],
    refusals: [],
    offersRefused: [],
    dropped: [],
    notTaken: [],
    backlogs: [],
    failures: [],
    timed: new Set(),
  };
  const listener: SequencerListener = {
    stateChanged: (_from, to) => recorded.states.push(to.kind),
    applied: (block) => recorded.blocks.push(block),
    refused: (_entry, _payload, reason) => recorded.refusals.push(reason),
    readinessChanged: () => {},
    offerRefused: (leaderId, reason) => recorded.offersRefused.push(`${leaderId}: ${reason}`),
    timed: (operation) => recorded.timed.add(operation),
    executionFailed: () => {},
    executionRecovered: () => {},
    blockNotTaken: (height, reason) => recorded.notTaken.push(`${height}: ${reason}`),
    waitsForGenesis: () => {},
    txDropped: (txId, reason) => recorded.dropped.push(`${toHex(txId)}: ${reason}`),
    backlogChanged: (backlog) => recorded.backlogs.push(backlog),
  };
  const sequencer = new Sequencer(
    {
      nodeId: "a",
      genesis,
      head: chain.store.head,
      production: {
        blockTimeMs: options.blockTimeMs ?? 5,
        lazyBlockIntervalMs: null,
        signsBeforeCommit: false,
      },
      submission: {
        txMaxBytes: 1000,
        waitForLeaderTimeoutMs: 200,
        commitTimeoutMs: 10_000,
      },
      forwarding: { retryDelayMs: 10, answerTimeoutMs: 1000 },
      pool: { maxTxs: 3, maxBytes: 10_000, maxOffers: 2 },
      acceptsBlocksWithoutTxIds: false,
      txReviewEveryMs: 20,
      unreadyAfterMs: 1000,
      catchUpTimeoutMs: 100,
      priority: 0,
      ...options,
    },
    {
      consensus: log,
      store: chain.store,
      source,
      executor: chain.executor,
      signer,
      signatures: new SignatureChecker(),
      listener,
      slowDataDisk,
      onFailure: (_name, error) => recorded.failures.push(error),
    },
  );
  log.onCommitted = (entries, commitIndex) => sequencer.onCommitted(entries, commitIndex);
  sequencer.start(chain.store.keptTxs());
  sequencer.begin({ appliedIndex: chain.store.head.raftIndex, baseHeight });
  return { sequencer, recorded };
}

/** A sequencer on an empty chain of its own. `close` ends it, and fails if a task of it has failed. */
export async function openSequencer() {
  const chain = await openChain();
  const log = new TestLog();
  const { sequencer, recorded } = startSequencer(chain, log);
  const close = async () => {
    await sequencer.stop();
    expect(recorded.failures).toEqual([]);
    await chain.remove();
  };
  return { chain, log, sequencer, recorded, close };
}

/** The sequencer's node leads from now on. */
export function leads(sequencer: Sequencer, log: TestLog, term: number): void {
  log.commit(term, null, "noop");
  sequencer.onRole({
    role: "leader",
    term,
    leaderId: "a",
    hasJoined: true,
    isRecovering: false,
    commitIndex: log.entries.length,
  });
}

export function follows(
  sequencer: Sequencer,
  log: TestLog,
  term: number,
  leaderId: string | null,
): void {
  const commitIndex = log.entries.length;
  sequencer.onRole({
    role: "follower",
    term,
    leaderId,
    hasJoined: leaderId !== null,
    isRecovering: false,
    commitIndex,
  });
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Waits until `condition` holds; fails the test by its limit otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
