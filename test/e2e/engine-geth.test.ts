/** The executor and a real geth. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPublicClient, http, parseEther } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { defined } from "../../src/base/assert.ts";
import { sleep } from "../../src/base/task-group.ts";
import {
  type ClientFacts,
  EngineExecutor,
  type EngineOptions,
} from "../../src/execution/engine/engine.ts";
import { transactionHash } from "../../src/execution/engine/payload-block.ts";
import { ExecutionError } from "../../src/execution/errors.ts";
import { ChainDriver, genesis } from "../execution/engine/chain-driver.ts";
import { hasGeth, needingGeth } from "../geth/binary.ts";
import { exampleGenesis, Geth, type GethOptions } from "../geth/geth.ts";

const root = mkdtempSync(join(tmpdir(), "engine-geth-"));
const closers: (() => Promise<void>)[] = [];
let count = 0;

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
afterAll(() => rmSync(root, { recursive: true }));

/** The account that the example genesis gives a balance; its key is known to everybody. */
const account = privateKeyToAccount(
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
);
const receiver = "0x1111111111111111111111111111111111111111";
const feeRecipient = "0x2222222222222222222222222222222222222222";

async function startGeth(options: { readonly genesis?: unknown } = {}): Promise<Geth> {
  count++;
  const geth = new Geth({ directory: join(root, String(count)), ...options });
  closers.push(() => geth.kill());
  await geth.start();
  return geth;
}

function connect(geth: Geth, overrides: Partial<EngineOptions> = {}) {
  const clients: ClientFacts[] = [];
  const { ethUrl, engineUrl, jwtSecret } = geth;
  const lags = {
    safeLag: 2,
    finalizedLag: 3,
    txLifetimeMs: 3_600_000,
    blockTimeNs: 1_000_000_000n,
  };
  const options = { ethUrl, engineUrl, jwtSecret, genesisHash: null, feeRecipient, ...lags };
  const executor = new EngineExecutor(
    { ...options, ...overrides },
    { connected: (client) => clients.push(client), called() {} },
  );
  closers.push(() => executor.close());
  return { executor, clients, chain: new ChainDriver(executor) };
}

async function transfer(nonce: number, overrides: { gas?: bigint; data?: `0x${string}` } = {}) {
  const raw = await account.signTransaction({
    chainId: exampleGenesis.config.chainId,
    type: "eip1559",
    nonce,
    to: receiver,
    value: parseEther("1"),
    gas: 21_000n,
    maxFeePerGas: 10n ** 10n,
    maxPriorityFeePerGas: 10n ** 9n,
    ...overrides,
  });
  const tx = Buffer.from(raw.slice(2), "hex");
  return { tx: new Uint8Array(tx), id: transactionHash(tx) };
}

/** Of 40 kB. */
async function largeTransfer(nonce: number) {
  return await transfer(nonce, { gas: 2_000_000n, data: `0x${"ab".repeat(40_000)}` });
}

function reader(geth: Geth) {
  return createPublicClient({ transport: http(geth.ethUrl), cacheTime: 0 });
}

async function failureOf(call: Promise<unknown>): Promise<ExecutionError> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ExecutionError);
  return error as ExecutionError;
}

describe.skipIf(!hasGeth())(needingGeth("a chain on geth"), () => {
  it("runs transfers block by block; head, safe and finalized follow what is committed", async () => {
    const geth = await startGeth();
    const { clients, chain } = connect(geth);
    await chain.begin();
    expect(clients).toMatchObject([
      {
        version: expect.stringContaining("Geth"),
        buildsBlocks: true,
        headHeight: 0,
        lacksDebug: false,
      },
    ]);
    for (let nonce = 0; nonce < 30; nonce += 3) {
      const waiting = await Promise.all([
        transfer(nonce),
        transfer(nonce + 1),
        transfer(nonce + 2),
      ]);
      const blocks = await chain.include(waiting);
      // Each begins with what geth needs to know of it.
      expect(blocks.flatMap(({ txs }) => txs.slice(1))).toHaveLength(3);
      expect(waiting.every(({ id }) => chain.isKnown(id))).toBe(true);
    }
    const client = reader(geth);
    expect(await client.getBalance({ address: receiver })).toBe(parseEther("30"));
    expect(await client.getTransactionCount({ address: account.address })).toBe(30);
    expect(await client.getBalance({ address: feeRecipient })).toBeGreaterThan(0n);
    const heads = ["latest", "safe", "finalized"] as const;
    const numbers = heads.map(async (blockTag) => (await client.getBlock({ blockTag })).number);
    const lags = [0, 2, 3].map((lag) => BigInt(chain.height - lag));
    expect(await Promise.all(numbers)).toEqual(lags);
    const { stateRoot } = await client.getBlock();
    expect(stateRoot).toBe(`0x${Buffer.from(chain.appHash).toString("hex")}`);
  });

  it("moves no head to a block that is not committed (P2)", async () => {
    const geth = await startGeth();
    const { executor, chain } = connect(geth);
    await chain.begin();
    await chain.produce();
    await executor.prepare(chain.next());
    await chain.build([await transfer(0)]);
    await chain.build();
    expect(await reader(geth).getBlockNumber()).toBe(1n);
    expect(await executor.head()).toEqual({ height: 1, appHash: chain.appHash });
  });

  it("passes through a fork: the methods' versions follow by themselves", async () => {
    const osakaTime = Number(genesis.genesisTimeNs / 1_000_000_000n) + 4;
    const { config } = exampleGenesis;
    const { prague } = config.blobSchedule;
    const blobSchedule = { ...config.blobSchedule, osaka: prague };
    const forked = { ...exampleGenesis, config: { ...config, osakaTime, blobSchedule } };
    const { chain } = connect(await startGeth({ genesis: forked }));
    await chain.begin();
    for (let nonce = 0; nonce < 8; nonce++) await chain.include([await transfer(nonce)]);
  });
});

describe.skipIf(!hasGeth())(needingGeth("a second client"), () => {
  it("that follows has the same blocks, receipts and state", async () => {
    const [leading, following] = [await startGeth(), await startGeth()];
    const leader = connect(leading);
    const follower = connect(following, { feeRecipient: null });
    await leader.chain.begin();
    await follower.chain.begin();
    for (let nonce = 0; nonce < 10; nonce++) {
      const blocks = await leader.chain.include([await transfer(nonce)]);
      for (const block of blocks) await follower.chain.execute(block);
      expect(follower.chain.appHash).toEqual(leader.chain.appHash);
    }
    for (let height = 0n; height <= leader.chain.height; height++) {
      const [one, other] = await Promise.all(
        [leading, following].map((geth) => reader(geth).getBlock({ blockNumber: height })),
      );
      expect(other).toEqual(one);
    }
  });

  it("takes over from the first: its blocks follow, and what was waiting is not lost", async () => {
    const first = connect(await startGeth());
    // By what the second names as its own, its blocks differ from the first's, whatever is in them.
    const second = connect(await startGeth(), { feeRecipient: receiver });
    await first.chain.begin();
    await second.chain.begin();
    for (let nonce = 0; nonce < 3; nonce++) {
      const blocks = await first.chain.include([await transfer(nonce)]);
      for (const block of blocks) await second.chain.execute(block);
    }
    // The first builds a block that is never committed.
    const lost = await first.chain.build([await transfer(3)]);
    await second.chain.include([await transfer(3), await transfer(4)]);
    const committed = second.chain.blocks[lost.height - 1];
    expect(committed?.txs).not.toEqual(lost.txs);
    for (const block of second.chain.blocks.slice(lost.height - 1))
      await first.chain.execute(block);
    expect(first.chain.appHash).toEqual(second.chain.appHash);
  });

  it("that was wiped gets the whole chain from the stored blocks", async () => {
    const geth = await startGeth();
    const { chain, executor } = connect(geth);
    await chain.begin();
    for (let nonce = 0; nonce < 10; nonce++) await chain.include([await transfer(nonce)]);
    const { height } = chain;
    const block = await chain.build();
    await geth.stop();
    geth.wipe();
    await geth.start();
    const failure = await failureOf(untilExecuted(() => chain.execute(block)));
    expect(failure.detail).toEqual({ code: "EXECUTION_GAP", height: height + 1, nextHeight: 1 });
    expect(await chain.replayInto(executor)).toBe(height);
    expect(await executor.head()).toEqual({ height, appHash: chain.appHash });
    await chain.execute(block);
  });
});

describe.skipIf(!hasGeth())(needingGeth("a restart"), () => {
  it("of the node: blocks that come again change nothing", async () => {
    const geth = await startGeth();
    const before = connect(geth);
    await before.chain.begin();
    for (let nonce = 0; nonce < 5; nonce++) await before.chain.include([await transfer(nonce)]);
    const { height } = before.chain;
    await before.executor.close();
    const { executor, clients } = connect(geth);
    expect(await executor.initChain(genesis)).toEqual({ appHash: before.chain.genesisAppHash });
    expect(clients).toMatchObject([{ headHeight: height }]);
    for (const block of before.chain.blocks) await executor.executeTxs(block);
    expect(await executor.head()).toEqual({ height, appHash: before.chain.appHash });
    expect(await reader(geth).getBlockNumber()).toBe(BigInt(height));
  });

  it("of the client in between is not noticed", async () => {
    const geth = await startGeth();
    const { chain } = connect(geth);
    await chain.begin();
    await chain.include([await transfer(0)]);
    await geth.stop();
    await geth.start();
    await chain.include([await transfer(1)]);
    expect(await reader(geth).getBalance({ address: receiver })).toBe(parseEther("2"));
  });

  it("of a client that was killed: it has lost its newest blocks, and gets them from the stored ones", async () => {
    const geth = await startGeth();
    const { chain, executor } = connect(geth);
    await chain.begin();
    for (let nonce = 0; nonce < 4; nonce++) await chain.include([await transfer(nonce)]);
    const { height: onDisk } = chain;
    await geth.stop();
    await geth.start();
    for (let nonce = 4; nonce < 10; nonce++) await chain.include([await transfer(nonce)]);
    const { height } = chain;
    const block = await chain.build();
    await geth.kill();
    await geth.start();
    const failure = await failureOf(untilExecuted(() => chain.execute(block)));
    const detail = { code: "EXECUTION_GAP", height: height + 1, nextHeight: onDisk + 1 };
    expect(failure.detail).toEqual(detail);
    expect(await chain.replayInto(executor)).toBe(height - onDisk);
    await chain.execute(block);
    expect(await executor.head()).toEqual({ height: height + 1, appHash: chain.appHash });
    expect(await reader(geth).getBalance({ address: receiver })).toBe(parseEther("10"));
  });

  describe("of a client that was killed, and still knows the blocks whose states it has lost", () => {
    /** A chain that its client had, and the client's head is the genesis; a node that starts beside it. */
    async function crash(options: Omit<GethOptions, "directory"> = {}) {
      const geth = await startGeth(options);
      // Of what is final geth moves the blocks to its freezer, now and then, and forgets those in a crash.
      const lags = { finalizedLag: 100 };
      const { chain } = connect(geth, lags);
      await chain.begin();
      // They fill the buffer from which geth writes to disk.
      for (let nonce = 0; nonce < 6; nonce++) await chain.include([await largeTransfer(nonce)]);
      await geth.kill();
      await geth.start();
      const { executor, clients } = connect(geth, lags);
      await executor.initChain(genesis);
      expect(await executor.head()).toMatchObject({ height: 0 });
      return { geth, chain, executor, clients, first: defined(chain.blocks[0], "one was built") };
    }

    it("gets them all again", async () => {
      const { geth, chain, executor, first } = await crash();
      const failure = await failureOf(executor.executeTxs(first));
      expect(failure).toMatchObject({ code: "EXECUTION_UNAVAILABLE" });
      expect(failure.message).toContain("its head is 0 after it was told 0x");
      await untilExecuted(() => executor.executeTxs(first));
      expect(await chain.replayInto(executor)).toBe(chain.height - 1);
      expect(await executor.head()).toEqual({ height: chain.height, appHash: chain.appHash });
      expect(await reader(geth).getBalance({ address: receiver })).toBe(parseEther("6"));
    });

    it("says what to do if the client's port has no debug", async () => {
      const { executor, clients, first } = await crash({ modules: ["eth", "net", "web3"] });
      expect(clients).toMatchObject([{ lacksDebug: true }]);
      const failure = await failureOf(executor.executeTxs(first));
      expect(failure).toMatchObject({ code: "EXECUTION_UNAVAILABLE" });
      expect(failure.message).toContain("Restart it with debug in --http.api");
    });
  });
});

/** Asks again as the applier does, while the client is unavailable. */
async function untilExecuted(execute: () => Promise<unknown>): Promise<unknown> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      return await execute();
    } catch (error) {
      const isTransient = error instanceof ExecutionError && error.code === "EXECUTION_UNAVAILABLE";
      if (!isTransient) throw error;
      await sleep(100);
    }
  }
  throw new Error("the client has not recovered");
}
