/**
 * Builds blocks while this node leads (DESIGN section 4): one at a time, each over the last applied
 * one, when it is due and while the lease holds. A block that is not committed is simply gone: its
 * transactions are still in the pool.
 */

import { blockTransactionsMaxBytes } from "../base/limits.ts";
import { sleep } from "../base/task-group.ts";
import { buildBlock } from "../block/build.ts";
import { encodeBlockPayload } from "../block/codec.ts";
import { transactionsPerBlockMax } from "../block/limits.ts";
import type { ChainHead, Signer } from "../block/types.ts";
import type { GenesisParameters } from "../execution/executor.ts";
import type { ConsensusPort } from "./ports.ts";
import { markOffered, type TxPool } from "./tx-pool.ts";

export interface ProducerOptions {
  readonly genesis: GenesisParameters;
  readonly proposer: Signer;
  readonly blockTimeMs: number;
  /** null unless lazy: then blocks come only with transactions, or after this long. */
  readonly lazyBlockIntervalMs: number | null;
}

export interface ProducerDependencies {
  readonly pool: TxPool;
  readonly consensus: ConsensusPort;
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

/** Produces in `term` until `signal` aborts or the term is over for this node. */
export async function produceBlocks(
  term: number,
  options: ProducerOptions,
  dependencies: ProducerDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { consensus, pool } = dependencies;
  while (!signal.aborted) {
    const dueMs = await untilDue(term, options, dependencies, signal);
    if (dueMs === null) return;
    const taken = pool.take(blockTransactionsMaxBytes, transactionsPerBlockMax);
    for (const pending of taken) markOffered(pending, term);
    const payload = buildBlock({
      head: dependencies.head(),
      genesis: options.genesis,
      txs: taken.map(({ tx }) => tx),
      txIds: taken.map(({ id }) => id),
      nowNs: BigInt(Math.round(dueMs * 1e6)),
      proposer: options.proposer,
    });
    const answer = await unlessAborted(
      consensus.propose(term, encodeBlockPayload(payload)),
      signal,
    );
    if (answer === null || answer.kind === "notLeader") return;
    if (answer.kind === "committed") await dependencies.whenApplied(answer.index, signal);
    // Lost, or refused for now: wait a moment, and find out by the state and the lease what to do.
    else await sleep(pollMs, signal);
  }
}

/** Waits for the next block's time and for the lease; the time (Unix) to give the block, or null once `signal` aborts. */
async function untilDue(
  term: number,
  { blockTimeMs, lazyBlockIntervalMs }: ProducerOptions,
  dependencies: ProducerDependencies,
  signal: AbortSignal,
): Promise<number | null> {
  while (!signal.aborted) {
    const nowMs = dependencies.unixMs();
    const dueMs = nowMs + delayMs(blockTimeMs, dependencies);
    const hasWork = lazyBlockIntervalMs === null || dependencies.pool.size > 0;
    const lazyDueMs = nowMs + delayMs(lazyBlockIntervalMs ?? blockTimeMs, dependencies);
    const waitMs = (hasWork ? dueMs : lazyDueMs) - nowMs;
    if (waitMs > 0) {
      await sleep(hasWork ? waitMs : Math.min(waitMs, Math.max(pollMs, dueMs - nowMs)), signal);
    } else if (!dependencies.consensus.holdsLease(term)) {
      await sleep(pollMs, signal);
    } else {
      // A timer is a little late: the block still gets the time it was due at, so that the cadence
      // does not drift. After a longer pause the past is past.
      return nowMs - dueMs < blockTimeMs / 2 ? Math.max(dueMs, headTimeMs(dependencies)) : nowMs;
    }
  }
  return null;
}

/**
 * How long until a block is due that comes `intervalMs` after the last one; negative once it is late.
 * By the last block's time, so that a new leader keeps the old one's cadence; but never longer than
 * the interval after it was applied here, whatever a clock says that has jumped.
 */
function delayMs(intervalMs: number, dependencies: ProducerDependencies): number {
  const byBlockTime = headTimeMs(dependencies) + intervalMs - dependencies.unixMs();
  const byArrival = dependencies.appliedAtMs() + intervalMs - dependencies.monotonicMs();
  return Math.min(byBlockTime, byArrival);
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

function headTimeMs({ head }: ProducerDependencies): number {
  return Number(head().timeNs / 1000n) / 1000;
}
