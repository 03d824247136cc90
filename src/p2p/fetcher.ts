/** A range, from whoever has it, however often that must be tried. */

import { sleep } from "../base/task-group.ts";
import type { Answer, Range } from "./exchange.ts";
import type { PeerPool } from "./peer-pool.ts";
import type { Outcome } from "./peer-score.ts";

/** One kind of item: how to ask for it, and what is wrong with an answer by itself. */
export interface ItemSource<Wire, Item> {
  readonly ask: (peerId: string, range: Range, signal: AbortSignal) => Promise<Answer<Wire>>;
  readonly take: (item: Wire, peerId: string) => Item;
  /** Why no honest peer would send these together; null if one might. */
  readonly refuse: (items: readonly Item[]) => string | null;
  /** Whether these are all that should wait in memory for their turn. */
  readonly isEnough: (items: readonly Item[]) => boolean;
}

/** While a range is not there after this, a peer with nothing to do is asked for it as well. */
export const stealAfterMs = 1_500;

/**
 * Resolves with the items of `range`: all, or the first of them if that is enough for now. Rejects with the reason of
 * `signal`, and with nothing else.
 */
export async function fetchRange<Wire, Item>(
  source: ItemSource<Wire, Item>,
  range: Range,
  pool: PeerPool,
  signal: AbortSignal,
): Promise<readonly Item[]> {
  const decided = new AbortController();
  // Not before somebody has been asked: a range that waits for a free peer is late for no fault of one.
  const begun = Promise.withResolvers<void>();
  const attempt = { source, pool, asked: new Set<string>(), onAsk: begun.resolve };
  const either = AbortSignal.any([signal, decided.signal]);
  const first = collect(attempt, range, { idleOnly: false, signal: either });
  const second = begun.promise
    .then(() => sleep(stealAfterMs, either))
    .then(() => collect(attempt, range, { idleOnly: true, signal: either }));
  try {
    return await Promise.race([first, second]);
  } finally {
    decided.abort();
    begun.resolve();
    await Promise.allSettled([first, second]);
  }
}

interface Attempt<Wire, Item> {
  readonly source: ItemSource<Wire, Item>;
  readonly pool: PeerPool;
  /** Who is being asked for this range just now. */
  readonly asked: Set<string>;
  readonly onAsk: () => void;
}

async function collect<Wire, Item>(
  { source, pool, asked, onAsk }: Attempt<Wire, Item>,
  { from, to }: Range,
  { idleOnly, signal }: { readonly idleOnly: boolean; readonly signal: AbortSignal },
): Promise<readonly Item[]> {
  const collected: Item[] = [];
  while (from + collected.length <= to && !source.isEnough(collected)) {
    const missing = { from: from + collected.length, to };
    const peerId = await pool.acquire(missing, { except: asked, idleOnly }, signal);
    asked.add(peerId);
    onAsk();
    const askedAtMs = performance.now();
    let outcome: Outcome = { kind: "abandoned" };
    try {
      const answer = await source.ask(peerId, missing, signal);
      if (!signal.aborted) outcome = judge(answer, source, peerId, collected, pool);
      else if (performance.now() - askedAtMs >= stealAfterMs) {
        // Somebody who was asked later was faster.
        outcome = { kind: "failed", reason: "it is slower than others" };
      }
    } finally {
      asked.delete(peerId);
      pool.release(peerId, outcome);
    }
    signal.throwIfAborted();
  }
  return collected;
}

/** Adds the items of a good answer to `collected`. */
function judge<Wire, Item>(
  answer: Answer<Wire>,
  source: ItemSource<Wire, Item>,
  peerId: string,
  collected: Item[],
  pool: PeerPool,
): Outcome {
  switch (answer.kind) {
    case "notFound":
      return { kind: "failed", reason: "it does not have the block" };
    case "noAnswer":
      return { kind: "failed", reason: answer.reason };
    case "misbehaved":
      pool.drop(peerId, answer.reason);
      return { kind: "failed", reason: answer.reason };
    case "items":
      break;
  }
  const items = answer.items.map((item) => source.take(item, peerId));
  const reason = pool.dropped.get(peerId) ?? source.refuse(items);
  if (reason !== null) {
    pool.drop(peerId, reason);
    return { kind: "failed", reason };
  }
  collected.push(...items);
  return { kind: answer.failure === null ? "good" : "poor" };
}
