/** Transactions for a leader that is reached over a slow link. */

import { afterEach, expect, it } from "vitest";
import { toHex } from "../../src/base/bytes.ts";
import { answerOffer, Forwarder } from "../../src/sequencer/forwarder.ts";
import { OfferPace } from "../../src/sequencer/offer-pace.ts";
import type { ConsensusPort, PeerReply } from "../../src/sequencer/ports.ts";
import { TxPool } from "../../src/sequencer/tx-pool.ts";
import { Cleanup } from "../transport/harness.ts";
import { Link } from "../transport/link.ts";
import { bytes, TestLog, until } from "./fixtures.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const answerTimeoutMs = 250;

function poolOf(sizes: readonly number[]): TxPool {
  const pool = new TxPool({ maxTxs: 1_000, maxBytes: 100_000_000, maxOffers: 2 });
  for (const [nth, size] of sizes.entries()) {
    const tx = { id: bytes(`id-${nth}`), tx: new Uint8Array(size), origin: "client" } as const;
    pool.add({ ...tx, isDurable: true });
  }
  return pool;
}

/** Runs until the end of the test. */
function forward(
  pool: TxPool,
  askPeer: ConsensusPort["askPeer"],
  leader = () => ({ id: "b", term: 2 }),
): Forwarder {
  const consensus = Object.assign(new TestLog(), { askPeer });
  const forwarder = new Forwarder(
    { retryDelayMs: 20, answerTimeoutMs },
    { pool, consensus, leader, searchedThrough: () => 5, onRefused: () => {} },
  );
  const end = new AbortController();
  const running = forwarder.run(end.signal);
  cleanup.add(() => {
    end.abort();
    return running;
  });
  return forwarder;
}

it("all of them arrive, however long they take, and one that is larger than any offer", async () => {
  const b = await cleanup.node(
    "b",
    {},
    {
      onExtensionRequest: ({ body, respond }) => {
        const take = ({ id }: { id: Uint8Array }) => taken.add(toHex(id)).size > 0;
        const status = answerOffer(body, { isLeading: true, identifiedFrom: 1, take });
        respond(status, new Uint8Array(0));
      },
    },
  );
  const taken = new Set<string>();
  const a = await cleanup.node("a");
  b.transport.setPeers(new Map([["a", a.address]]));
  const link = await new Link().open(() => b.port);
  cleanup.add(() => link.close());
  link.bytesPerSecond = 500_000;
  a.transport.setPeers(new Map([["b", `127.0.0.1:${link.port}`]]));
  const sizes = [...Array<number>(30).fill(20_000), 1_500_000, ...Array<number>(30).fill(20_000)];
  const pool = poolOf(sizes);
  let unanswered = 0;
  forward(pool, async (peerId, method, body, timeoutMs): Promise<PeerReply> => {
    try {
      const answer = await a.transport.request(peerId, method, body, { timeoutMs });
      return { kind: "answered", ...answer };
    } catch {
      unanswered++;
      return { kind: "failed", reason: "it failed", failure: "unanswered" };
    }
  });
  await until(() => pool.notTaken(2, 1, 1).length === 0);
  expect(taken.size).toBe(sizes.length);
  expect(unanswered).toBeGreaterThan(0);
});

it("a new leader is offered them at once, while the one before still has time to answer", async () => {
  const pool = poolOf([2_000_000]);
  const asked: string[] = [];
  let leader = { id: "b", term: 2 };
  const forwarder = forward(
    pool,
    (peerId) => {
      asked.push(peerId);
      if (peerId === "b") return new Promise(() => {});
      return Promise.resolve({ kind: "answered", status: 200, body: new Uint8Array(0) });
    },
    () => leader,
  );
  await until(() => asked.length === 1);
  leader = { id: "c", term: 3 };
  forwarder.wake();
  await until(() => pool.notTaken(3, 1, 1).length === 0);
  expect(asked).toEqual(["b", "c"]);
  // The first may have taken it as well.
  expect([...pool].map(({ offers }) => offers)).toEqual([2]);
});

it("an offer has time for its size, less in it after each that was late, and more again after quick ones", () => {
  const pace = new OfferPace(1_000);
  const mebibyte = 1024 * 1024;
  expect([pace.timeoutMs(10), pace.timeoutMs(mebibyte)]).toEqual([1_000, 4_000]);
  const sizes: number[] = [];
  for (let nth = 0; nth < 8; nth++) {
    pace.unanswered();
    sizes.push(pace.maxBytes / 1024);
  }
  expect(sizes).toEqual([512, 256, 128, 64, 32, 16, 16, 16]);
  // One that cannot be halved has more time instead.
  expect([pace.timeoutMs(10), pace.timeoutMs(20 * mebibyte)]).toEqual([60_000, 80_000]);
  for (let nth = 0; nth < 100; nth++) pace.unanswered();
  pace.answered(100);
  expect(pace.maxBytes).toBe(32 * 1024);
  pace.answered(500);
  expect(pace.maxBytes).toBe(32 * 1024);
  // It moved all the time, and others waited behind it.
  pace.answered(1_100);
  expect(pace.maxBytes).toBe(16 * 1024);
  // However long it was away, a few answers make it a peer like others again.
  for (let nth = 0; nth < 4; nth++) pace.answered(100);
  expect([pace.maxBytes, pace.timeoutMs(10)]).toEqual([256 * 1024, 1_000]);
});
