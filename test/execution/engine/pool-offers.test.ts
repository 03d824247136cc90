/** What waits on its way into the client's pool: which of it is offered, and when again. */

import { afterEach, expect, it } from "vitest";
import { EthApi } from "../../../src/execution/engine/eth-api.ts";
import { JsonRpcClient } from "../../../src/execution/engine/json-rpc.ts";
import { PoolOffers } from "../../../src/execution/engine/pool-offers.ts";
import type { BlockToBuild } from "../../../src/execution/executor.ts";
import { TxPool } from "../../../src/sequencer/tx-pool.ts";
import { Refusal, ScriptedServer } from "./scripted-server.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const blockMaxBytes = 100;
const txBytes = 40;

/** A sequencer's pool, blocks that hold two of its transactions, and a client that will have none of them. */
async function begin() {
  const server = new ScriptedServer(() => new Refusal(-32000, "insufficient funds"));
  const rpc = new JsonRpcClient({ url: await server.start(), token: null });
  closers.push(
    () => server.stop(),
    () => rpc.close(),
  );
  const pool = new TxPool({ maxTxs: 100, maxBytes: 1_000_000, maxOffers: 2 });
  const offers = new PoolOffers({ eth: new EthApi(rpc), blockTimeMs: 1_000 });
  const add = (byte: number) => {
    const tx = new Uint8Array(txBytes).fill(byte);
    return pool.add({ id: tx, tx, origin: "client", isDurable: true });
  };
  /** The first bytes of what is offered for the block, in order. */
  const offeredFor = async (height: number, forMs = 60_000) => {
    const before = server.asked.length;
    const block: BlockToBuild = {
      height,
      timestampNs: 0n,
      waiting: (skip = () => false) =>
        pool.take(1, { maxBytes: blockMaxBytes, maxCount: 100, skip }),
      isKnownTx: () => false,
    };
    await offers.offer(block, forMs);
    const offered = server.asked.slice(before).map(({ params }) => String(params[0]).slice(2, 4));
    return offered.map((digits) => Number.parseInt(digits, 16)).toSorted((a, b) => a - b);
  };
  return { pool, offers, add, offeredFor };
}

it("a block's bytes of transactions that no block takes hold up none behind them", async () => {
  const { add, offeredFor } = await begin();
  for (const byte of [1, 2, 3, 4, 5]) add(byte);
  expect(await offeredFor(1)).toEqual([1, 2]);
  expect(await offeredFor(2)).toEqual([3, 4]);
  expect(await offeredFor(3)).toEqual([5]);
  expect(await offeredFor(4)).toEqual([]);
});

it("what is still waiting is offered again eight blocks later, after what is new", async () => {
  const { add, offeredFor } = await begin();
  for (const byte of [1, 2]) add(byte);
  expect(await offeredFor(1)).toEqual([1, 2]);
  expect(await offeredFor(8)).toEqual([]);
  add(3);
  // No time is left for those of old.
  expect(await offeredFor(9, 0)).toEqual([3]);
  expect(await offeredFor(9)).toEqual([1, 2]);
  expect(await offeredFor(10)).toEqual([]);
});

it("what is gone is not offered, and all is offered to a client that may have been restarted", async () => {
  const { pool, offers, add, offeredFor } = await begin();
  const first = add(1);
  add(2);
  expect(await offeredFor(1)).toEqual([1, 2]);
  pool.remove(first.id);
  offers.reset();
  expect(await offeredFor(2)).toEqual([2]);
});
