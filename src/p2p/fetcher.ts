/** A range, from whoever has it, however often that must be tried. */

import { sleep } from "../base/task-group.ts";
import type { Answer, Range } from "./exchange.ts";
import { Motion, type OnReceived, type Pace, stealAfterMs } from "./motion.ts";
import type { PeerPool } from "./peer-pool.ts";
import type { Outcome } from "./peer-score.ts";

/** One kind of item: how to ask for it, and what is wrong with an answer by itself. */
export interface ItemSource<Wire, Item> {
  readonly ask: (
    peerId: string,
    range: Range,
    signal: AbortSignal,
    onReceived: OnReceived,
  ) => Promise<Answer<Wire>>;
  /** How fast its answers come. */
  readonly pace: Pace;
  readonly take: (item: Wire, peerId: string) => Item;
  /** Why no honest peer would send these together; null if one might. */
  readonly refuse: (items: readonly Item[]) => string | null;
  /** Whether these are all that should wait in memory for their turn. */
  readonly isEnough: (items: readonly Item[]) => boolean;
}

/**
 * Resolves with the items of `range`: all, or the first of them if that is enough for now. Rejects with the reason of
 * `signal`, and with nothing else. While they do not come, a peer with nothing to do is asked for them as well; not
 * while they do, since on a slow link that would only take twice as long.
 */
export async function fetchRange<Wire, Item>(
  source: ItemSource<Wire, Item>,
  range: Range,
  pool: PeerPool,
  signal: AbortSignal,
): Promise<readonly Item[]> {
  const decided = new AbortController();
  const motion = new Motion();
  // Not before somebody has been asked: a range that waits for a free peer is late for no fault of one.
  const begun = Promise.withResolvers<void>();
  const attempt = { source, pool, asked: new Set<string>() };
  const either = AbortSignal.any([signal, decided.signal]);
  const first = collect(attempt, range, either, { motion, onAsk: begun.resolve, rescued: null });
  const second = begun.promise.then(() =>
    collect(attempt, range, either, { motion: new Motion(), onAsk: () => {}, rescued: motion }),
  );
  try {
    return await Promise.race([first, second]);
  } finally {
    decided.abort();
    begun.resolve();
    await Promise.allSettled([first, second]);
  }
}

/** Returns when `signal` aborts, too. */
async function untilStuck(motion: Motion, pace: Pace, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !motion.isStuck(pace)) await sleep(lookAgainMs, signal);
}

const lookAgainMs = stealAfterMs / 4;

interface Attempt<Wire, Item> {
  readonly source: ItemSource<Wire, Item>;
  readonly pool: PeerPool;
  /** Who is being asked for this range just now. */
  readonly asked: Set<string>;
}

interface Manner {
  /** Of the request under way. */
  readonly motion: Motion;
  readonly onAsk: () => void;
  /** Of another's request: this one is made while that is stuck, of a peer with nothing to do. */
  readonly rescued: Motion | null;
}

async function collect<Wire, Item>(
  { source, pool, asked }: Attempt<Wire, Item>,
  { from, to }: Range,
  signal: AbortSignal,
  { motion, onAsk, rescued }: Manner,
): Promise<readonly Item[]> {
  const collected: Item[] = [];
  while (from + collected.length <= to && !source.isEnough(collected)) {
    const missing = { from: from + collected.length, to };
    if (rescued !== null) await untilStuck(rescued, source.pace, signal);
    const wish = { except: asked, idleOnly: rescued !== null };
    const peerId = await pool.acquire(missing, wish, signal);
    if (rescued !== null && !rescued.isStuck(source.pace)) {
      pool.release(peerId, { kind: "abandoned" });
      continue;
    }
    asked.add(peerId);
    motion.asked();
    onAsk();
    let outcome: Outcome = { kind: "abandoned" };
    try {
      const answer = await source.ask(peerId, missing, signal, (bytes) => motion.received(bytes));
      if (!signal.aborted) {
        outcome = judge(answer, source, peerId, collected, pool);
        if (answer.kind === "items") source.pace.note(motion.receivedBytes, motion.elapsedMs);
      } else if (motion.isStuck(source.pace)) {
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
