/**
 * Builds blocks while this node leads: one at a time, each over the last applied
 * one, when it is due and while the lease holds. A block that is not committed is simply gone: its
 * transactions are still in the pool.
 */

import { blockTransactionsMaxBytes } from "../base/limits.ts";
import { sleep } from "../base/task-group.ts";
import { buildBlock, nextTimeNs } from "../block/build.ts";
import { encodeBlockPayload } from "../block/codec.ts";
import { transactionsPerBlockMax } from "../block/limits.ts";
import type { BlockSigner } from "../block/sign.ts";
import type { BlockPayload, ChainHead } from "../block/types.ts";
import { ExecutionError } from "../execution/errors.ts";
import type { BlockToBuild, Executor, GenesisParameters } from "../execution/executor.ts";
import type { ConsensusPort } from "./ports.ts";
import { markOffered, type TxPool } from "./tx-pool.ts";

export interface ProducerOptions {
  readonly genesis: GenesisParameters;
  readonly signer: BlockSigner;
  /** For a cluster that still has ev-node members, which expect signed blocks in the log. */
  readonly signsBeforeCommit: boolean;
  readonly blockTimeMs: number;
  /** null unless lazy: then blocks come only with transactions, or after this long. */
  readonly lazyBlockIntervalMs: number | null;
}

export interface ProducerDependencies {
  readonly pool: TxPool;
  readonly executor: Pick<Executor, "prepare" | "build" | "timestampStepNs">;
  /** A block was applied so long after it was due. */
  readonly produced: (durationMs: number) => void;
  /** The executor cannot build now; it is asked again. */
  readonly buildFailed: (height: number, error: ExecutionError) => void;
  /** The first block comes at the time of the genesis, a while from now: by the clock of the wall. */
  readonly waitsForGenesis: (untilMs: number) => void;
  /** The log takes no block of this node for now; another is offered in a moment. */
  readonly notTaken: (height: number, reason: string) => void;
  readonly consensus: ConsensusPort;
  /** True of a transaction in an applied block: it must not be in another (P7). */
  readonly isKnownTx: (txId: Uint8Array) => boolean;
  /** The last applied block, and when it was applied, by a monotonic clock. */
  readonly head: () => ChainHead;
  readonly appliedAtMs: () => number;
  /** Resolves once the committed entry at `index` is applied or refused, or `signal` aborts. */
  readonly whenApplied: (index: number, signal: AbortSignal) => Promise<void>;
  readonly unixMs: () => number;
  readonly monotonicMs: () => number;
}

/** How often a wait that nothing wakes looks again: for a lease, or for a transaction in lazy mode. */
const pollMs = 5;
/** And one that knows its end: a clock may jump, and a timer holds no more than 24 days. */
const longestSleepMs = 1_000;
/** An operator is told of a longer wait for the first block. */
const toldWaitMs = 3_000;
/** From a block of ours that was refused to the next: each is an entry in the log and a line in every node's. */
const refusedDelayMs = 1_000;
/** An executor that cannot build now is asked again, ever more seldom. */
const buildRetryMinMs = 50;
const buildRetryMaxMs = 2_000;
/** And so is a log that takes no block. */
const offerRetryMaxMs = 250;
/**
 * The executor begins with a block so long before it is due, at most: geth goes on filling what it began for 12 s, and has
 * nothing else for a block of the same time.
 */
const prepareAheadMs = 10_000;
/** By how much a timer may be late without the block's time showing it. */
const timerLatenessMaxMs = 50;

/** Produces in `term` until `signal` aborts or the term is over for this node. */
export async function produceBlocks(
  term: number,
  options: ProducerOptions,
  dependencies: ProducerDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { consensus } = dependencies;
  tellGenesis(options, dependencies);
  let failures = 0;
  let setbacks = 0;
  while (!signal.aborted) {
    const preparing = prepare(term, options, dependencies, signal);
    // What is wrong is heard where the block is built, which is later, or never.
    preparing.catch(() => {});
    const dueMs = await untilDue(term, options, dependencies, signal);
    if (dueMs === null) return;
    const dueAtMs = dependencies.monotonicMs();
    const building = preparing.then(() => build(term, dueMs, options, dependencies));
    const block = await unlessAborted(building, signal);
    if (block === null) return;
    if (block instanceof ExecutionError) {
      dependencies.buildFailed(dependencies.head().height + 1, block);
      await sleep(Math.min(buildRetryMaxMs, buildRetryMinMs * 2 ** failures), signal);
      failures++;
      continue;
    }
    failures = 0;
    const { header } = block.header;
    const payload = options.signsBeforeCommit
      ? { ...block, header: options.signer.sign(header) }
      : block;
    const proposal = consensus.propose(term, encodeBlockPayload(payload));
    const answer = await unlessAborted(proposal, signal);
    if (answer === null || answer.kind === "notLeader") return;
    if (answer.kind === "committed") {
      setbacks = 0;
      await dependencies.whenApplied(answer.index, signal);
      // Committed, and refused by every node: what is wrong with it will be so in the next one, too.
      const isRefused = dependencies.head().height < block.height;
      if (isRefused) await sleep(refusedDelayMs, signal);
      else if (!signal.aborted) dependencies.produced(dependencies.monotonicMs() - dueAtMs);
    } else {
      if (answer.kind === "unavailable") dependencies.notTaken(block.height, answer.reason);
      // Lost, or refused for now: wait a moment, and find out by the state and the lease what to do.
      await sleep(Math.min(offerRetryMaxMs, pollMs * 2 ** setbacks), signal);
      setbacks++;
    }
  }
}

/** Has the executor begin with the next block, for the time at which it will be due. What fails here, fails in `build`. */
async function prepare(
  term: number,
  options: ProducerOptions,
  dependencies: ProducerDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { executor, pool, unixMs } = dependencies;
  while (!signal.aborted) {
    // When the next block is due in lazy mode, nobody knows before there is a transaction.
    if (options.lazyBlockIntervalMs !== null && pool.size === 0) return;
    const waitMs = Math.max(0, delayMs(options.blockTimeMs, options, dependencies));
    if (waitMs <= prepareAheadMs) {
      const block = nextBlock(term, unixMs() + waitMs, options, dependencies);
      await unlessUnavailable(executor.prepare(block));
      return;
    }
    await sleep(Math.min(waitMs - prepareAheadMs, longestSleepMs), signal);
  }
}

function tellGenesis(options: ProducerOptions, dependencies: ProducerDependencies): void {
  if (dependencies.head().height >= options.genesis.initialHeight) return;
  const waitMs = delayMs(options.blockTimeMs, options, dependencies);
  if (waitMs > toldWaitMs) dependencies.waitsForGenesis(dependencies.unixMs() + waitMs);
}

/** The next block, for the time at which it is due; or why the executor cannot build it now. */
async function build(
  term: number,
  dueMs: number,
  options: ProducerOptions,
  dependencies: ProducerDependencies,
): Promise<BlockPayload | ExecutionError> {
  const { executor, pool } = dependencies;
  const head = dependencies.head();
  const request = nextBlock(term, dueMs, options, dependencies);
  const txs = await unlessUnavailable(executor.build(request));
  if (txs instanceof ExecutionError) return txs;
  for (const { id } of txs) {
    const pending = pool.get(id);
    if (pending !== null) markOffered(pending, term);
  }
  return buildBlock({
    head,
    genesis: options.genesis,
    txs: txs.map(({ tx }) => tx),
    txIds: txs.map(({ id }) => id),
    nowNs: request.timestampNs,
    proposer: options.signer.signer,
  });
}

function nextBlock(
  term: number,
  dueMs: number,
  { genesis }: ProducerOptions,
  dependencies: ProducerDependencies,
): BlockToBuild {
  const { executor, pool, isKnownTx } = dependencies;
  const head = dependencies.head();
  const nowNs = BigInt(Math.round(dueMs * 1e6));
  return {
    height: head.height + 1,
    timestampNs: nextTimeNs({ head, genesis, nowNs, stepNs: executor.timestampStepNs }),
    waiting: (skip = () => false) =>
      pool.take(term, {
        maxBytes: blockTransactionsMaxBytes,
        maxCount: transactionsPerBlockMax,
        skip: (tx) => skip(tx) || isKnownTx(tx.id),
      }),
    isKnownTx,
  };
}

/** A client that does not answer, or has lost blocks, is an answer here. */
async function unlessUnavailable<T>(call: Promise<T>): Promise<T | ExecutionError> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof ExecutionError)) throw error;
    const isForNow = error.code === "EXECUTION_UNAVAILABLE" || error.code === "EXECUTION_GAP";
    if (isForNow) return error;
    throw error;
  }
}

/** Waits for the next block's time and for the lease; the time (Unix) to give the block, or null once `signal` aborts. */
async function untilDue(
  term: number,
  options: ProducerOptions,
  dependencies: ProducerDependencies,
  signal: AbortSignal,
): Promise<number | null> {
  const { blockTimeMs, lazyBlockIntervalMs } = options;
  while (!signal.aborted) {
    const nowMs = dependencies.unixMs();
    const isIdle = lazyBlockIntervalMs !== null && dependencies.pool.size === 0;
    const waitMs = delayMs(isIdle ? lazyBlockIntervalMs : blockTimeMs, options, dependencies);
    if (waitMs > 0) {
      // A transaction that comes in lazy mode is noticed at the next look.
      await sleep(Math.min(waitMs, isIdle ? pollMs : longestSleepMs), signal);
    } else if (!dependencies.consensus.holdsLease(term)) {
      await sleep(pollMs, signal);
    } else {
      // A timer is a little late: the block still gets the time it was due at, so that the cadence
      // does not drift. After a longer pause the past is past.
      return -waitMs < timerLatenessMaxMs ? nowMs + waitMs : nowMs;
    }
  }
  return null;
}

/**
 * How long until a block is due that comes `intervalMs` after the last one; negative once it is late.
 * By the last block's time, so that a new leader keeps the old one's cadence; but never longer than
 * the interval after it was applied here, whatever a clock says that has jumped. The first block is
 * due at the time of the genesis.
 */
function delayMs(
  intervalMs: number,
  { genesis }: ProducerOptions,
  { head, unixMs, appliedAtMs, monotonicMs }: ProducerDependencies,
): number {
  const { height, timeNs } = head();
  const sinceHeadMs = unixMs() - Number(timeNs / 1000n) / 1000;
  if (height < genesis.initialHeight) return -sinceHeadMs;
  return intervalMs - Math.max(sinceHeadMs, monotonicMs() - appliedAtMs());
}

/**
 * A deposed leader may never hear what became of its proposal; it need not: before it builds again
 * it has applied everything that was committed meanwhile.
 */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const onAbort = () => resolve(null);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
