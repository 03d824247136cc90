/** When the leader builds: what it waits for before its first block. */

import { afterEach, beforeEach, expect, it } from "vitest";
import { type ProducerDependencies, produceBlocks } from "../../src/sequencer/producer.ts";
import { TxPool } from "../../src/sequencer/tx-pool.ts";
import { type Chain, genesis, openChain, signer, TestLog, until } from "./fixtures.ts";

const genesisMs = Number(genesis.genesisTimeNs / 1_000_000n);
const hourMs = 3_600_000;

let chain: Chain & { remove(): Promise<void> };
beforeEach(async () => {
  chain = await openChain();
});
afterEach(() => chain.remove());

/** A leader whose clock says what it is told. */
function lead(nowMs: number) {
  const log = new TestLog();
  const clock = { nowMs, looks: 0 };
  const told: number[] = [];
  const prepared: number[] = [];
  const stop = new AbortController();
  const dependencies: ProducerDependencies = {
    pool: new TxPool({ maxTxs: 10, maxBytes: 1_000, maxOffers: 2 }),
    executor: {
      timestampStepNs: chain.executor.timestampStepNs,
      build: (block) => chain.executor.build(block),
      prepare: async () => void prepared.push(clock.nowMs),
    },
    consensus: log,
    produced() {},
    buildFailed() {},
    notTaken() {},
    waitsForGenesis: (untilMs) => told.push(untilMs),
    isKnownTx: () => false,
    head: () => chain.store.head,
    appliedAtMs: () => 0,
    // It is built, and that is all: the next one is not waited for.
    whenApplied: async () => stop.abort(),
    unixMs: () => {
      clock.looks++;
      return clock.nowMs;
    },
    monotonicMs: () => performance.now(),
  };
  const options = {
    genesis,
    signer,
    signsBeforeCommit: false,
    blockTimeMs: 100,
    lazyBlockIntervalMs: null,
  };
  const ended = produceBlocks(1, options, dependencies, stop.signal);
  return { log, clock, told, prepared, ended };
}

it("before the genesis it says until when it waits, and begins though the clock jumps to that time", async () => {
  const { log, clock, told, ended } = lead(genesisMs - 2 * hourMs);
  const { looks } = clock;
  await until(() => clock.looks > looks);
  expect(log.entries).toEqual([]);
  clock.nowMs = genesisMs;
  await ended;
  expect(log.entries).toHaveLength(1);
  expect(told).toEqual([genesisMs]);
});

it("a wait that is longer than a timer can hold is one nevertheless", async () => {
  const { log, clock, ended } = lead(genesisMs - 40 * 24 * hourMs);
  const { looks } = clock;
  const beganMs = performance.now();
  await until(() => clock.looks > looks);
  expect(performance.now() - beganMs).toBeGreaterThan(900);
  clock.nowMs = genesisMs;
  await ended;
  expect(log.entries).toHaveLength(1);
});

it("of a moment's wait it says nothing", async () => {
  const { clock, told, ended } = lead(genesisMs - 1_500);
  clock.nowMs = genesisMs;
  await ended;
  expect(told).toEqual([]);
});

it("has the executor begin at most 10 s before a block is due: clients fill what they began for 12 s", async () => {
  const { clock, prepared, ended } = lead(genesisMs - 15_000);
  const { looks } = clock;
  await until(() => clock.looks > looks + 1);
  expect(prepared).toEqual([]);
  clock.nowMs = genesisMs - 9_990;
  await until(() => prepared.length > 0);
  clock.nowMs = genesisMs;
  await ended;
  expect(prepared).toEqual([genesisMs - 9_990]);
});
