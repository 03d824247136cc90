/** An offer: what a leader must not take, and what becomes of that. */

import { expect, it } from "vitest";
import { answerOffer, Forwarder } from "../../src/sequencer/forwarder.ts";
import { decodeTxBatch, encodeTxBatch, offerStatus } from "../../src/sequencer/tx-batch.ts";
import { TxPool } from "../../src/sequencer/tx-pool.ts";
import { bytes, TestLog, until } from "./fixtures.ts";

it.each([
  [5, offerStatus.tooEarly],
  [6, offerStatus.taken],
  [9, offerStatus.taken],
])(
  "a leader that can name what is in blocks from 7 on answers one who has seen those up to %i with %i (P7)",
  (absentThrough, expected) => {
    const taken: string[] = [];
    const status = answerOffer(
      encodeTxBatch({ absentThrough, txs: [{ id: bytes("id"), tx: bytes("k=v") }] }),
      {
        isLeading: true,
        identifiedFrom: 7,
        take: ({ tx }) => taken.push(Buffer.from(tx).toString()) > 0,
      },
    );
    expect(status).toBe(expected);
    expect(taken).toEqual(expected === offerStatus.taken ? ["k=v"] : []);
  },
);

/** One waiting transaction, and a leader that answers it as `log` says. */
function forward(log: TestLog) {
  const pool = new TxPool({ maxTxs: 10, maxBytes: 1_000, maxOffers: 2 });
  const pending = pool.add({
    id: bytes("id"),
    tx: bytes("k=v"),
    origin: "client",
    isDurable: true,
  });
  const refusals: string[] = [];
  const forwarder = new Forwarder(
    { retryDelayMs: 1, answerTimeoutMs: 1_000 },
    {
      pool,
      consensus: log,
      leader: () => ({ id: "b", term: 2 }),
      searchedThrough: () => 5,
      onRefused: (_leaderId, reason) => refusals.push(reason),
    },
  );
  const end = new AbortController();
  const running = forwarder.run(end.signal);
  const stop = () => {
    end.abort();
    return running;
  };
  return { pool, pending, refusals, stop };
}

it("one that came too early is told of, and asked for without its transactions until it may be made again", async () => {
  const log = new TestLog();
  log.replyToOffer = { kind: "answered", status: offerStatus.tooEarly, body: new Uint8Array(0) };
  const { pool, refusals, stop } = forward(log);
  const offered = () => log.offers.map(({ body }) => decodeTxBatch(body)?.txs.length);
  await until(() => log.offers.length >= 3);
  const early = offered();
  expect(early).toEqual([1, ...early.slice(1).map(() => 0)]);
  expect(refusals[0]).toMatch(/until this node and the leader have caught up/);
  log.replyToOffer = { kind: "answered", status: offerStatus.taken, body: new Uint8Array(0) };
  await until(() => offered().at(-1) === 1 && pool.notTaken(2, 1_000, 10).length === 0);
  await stop();
});

it.each([
  ["unanswered", 1],
  ["notSent", 0],
  ["foreign", 0],
] as const)("one that failed as %s may be with %i leaders", async (failure, offers) => {
  const log = new TestLog();
  log.replyToOffer = { kind: "failed", reason: "it failed", failure };
  const { pending, stop } = forward(log);
  await until(() => log.offers.length >= 3);
  await stop();
  expect(pending.offers).toBe(offers);
});
