/** What fits into the pool, and what its owner does while thousands wait in it. */

import { expect, it } from "vitest";
import { Submissions } from "../../src/sequencer/submission.ts";
import { markOffered, type PendingTx, TxPool } from "../../src/sequencer/tx-pool.ts";
import { bytes, openChain, until } from "./fixtures.ts";

const all = { maxBytes: 100, maxCount: 100, skip: () => false };
const limits = { maxTxs: 100_000, maxBytes: 1_000_000, maxOffers: 2 };

it("lets in an offered transaction that is larger than the whole queue, one at a time", () => {
  const pool = new TxPool({ ...limits, maxBytes: 100 });
  const large = new Uint8Array(150);
  const add = (id: string, tx: Uint8Array) =>
    pool.add({ id: bytes(id), tx, origin: "peer", isDurable: false });
  add("small", new Uint8Array(90));
  expect(pool.hasRoomFor(large)).toBe(false);
  expect(pool.hasRoomForOffer(new Uint8Array(20))).toBe(false);
  expect(pool.hasRoomForOffer(large)).toBe(true);
  add("large", large);
  expect(pool.hasRoomForOffer(large)).toBe(false);
  expect(pool.hasRoomForOffer(new Uint8Array(1))).toBe(false);
  pool.remove(bytes("large"));
  expect(pool.hasRoomForOffer(large)).toBe(true);
});

it("a transaction that too many leaders were offered is still taken for another node that counts on this one", () => {
  const pool = new TxPool(limits);
  const lost = pool.add({ id: bytes("a"), tx: bytes("a"), origin: "client", isDurable: false });
  for (const term of [1, 2]) markOffered(lost, term);
  expect(pool.take(3, all)).toEqual([]);
  // This node leads now, and another offers it the same.
  pool.keepFor(lost, "peer");
  expect(pool.take(3, all)).toEqual([lost]);
  pool.release(lost, "client");
  expect(pool.take(3, all)).toEqual([lost]);
  pool.dropForwarded();
  expect(pool.size).toBe(0);
});

it("what is skipped takes no room from what came after it", () => {
  const pool = new TxPool(limits);
  const [first, second, third] = ["a", "b", "c"].map((id) =>
    pool.add({ id: bytes(id), tx: new Uint8Array(60), origin: "client", isDurable: false }),
  );
  expect(pool.take(1, all)).toEqual([first]);
  expect(pool.take(1, { ...all, skip: (pending) => pending === first })).toEqual([second]);
  expect(pool.take(1, { ...all, skip: (pending) => pending !== third })).toEqual([third]);
  expect(pool.take(1, { ...all, skip: () => true })).toEqual([]);
});

/** Counts how often the whole pool is gone through. */
class WatchedPool extends TxPool {
  walks = 0;

  override [Symbol.iterator](): IterableIterator<PendingTx> {
    this.walks++;
    return super[Symbol.iterator]();
  }
}

it("clients that wait are told when their time is up, without a look at all that wait", async () => {
  const chain = await openChain();
  const pool = new WatchedPool(limits);
  let term: number | null = 1;
  const submissions = new Submissions(
    { txMaxBytes: 1000, waitForLeaderTimeoutMs: 3_600_000, commitTimeoutMs: 400 },
    {
      pool,
      store: chain.store,
      executor: chain.executor,
      leaderTerm: () => term,
      onAdded: () => {},
    },
  );
  const stop = new AbortController();
  const running = submissions.run(stop.signal);
  const reasons = new Map<string, number>();
  const signal = new AbortController().signal;
  for (let nth = 0; nth < 2_000; nth++) {
    const submission = { tx: bytes(`k${nth}=v`), idempotencyKey: null, wait: "commit" as const };
    void submissions.submit({ ...submission, signal }).then((answer) => {
      const reason = answer.kind === "unavailable" ? answer.reason : answer.kind;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    });
  }
  await until(() => reasons.size > 0 && pool.size === 0);
  expect([...reasons]).toEqual([["no block took it within 0.4 s", 2_000]]);
  // Once for the leader's term, however many times the clock was looked at.
  expect(pool.walks).toBe(1);
  term = 2;
  await until(() => pool.walks === 2);
  stop.abort();
  await running;
  await chain.remove();
});
