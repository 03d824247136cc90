/** The executor against a strict client of the kind of ev-reth. The other kind is tried with a real geth. */

import { afterEach, describe, expect, it } from "vitest";
import {
  type ClientFacts,
  EngineExecutor,
  type EngineOptions,
} from "../../../src/execution/engine/engine.ts";
import { transactionHash } from "../../../src/execution/engine/payload-block.ts";
import { ExecutionError } from "../../../src/execution/errors.ts";
import { ChainDriver, genesis } from "./chain-driver.ts";
import { FakeEvReth, jwtSecret } from "./fake-ev-reth.ts";
import { Refusal } from "./scripted-server.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function begin(overrides: Partial<EngineOptions> = {}) {
  const client = new FakeEvReth();
  const urls = await client.start();
  closers.push(() => client.stop());
  const { chain, executor, found } = connect(urls, overrides);
  await chain.begin();
  return { client, chain, executor, found, urls };
}

function connect(
  urls: { readonly engineUrl: string; readonly ethUrl: string },
  overrides: Partial<EngineOptions> = {},
) {
  const found: ClientFacts[] = [];
  const lags = { safeLag: 2, finalizedLag: 3, txLifetimeMs: 3_600_000, blockTimeNs: 100_000_000n };
  const options = { ...urls, jwtSecret, genesisHash: null, feeRecipient: null, ...lags };
  const listener = { connected: (facts: ClientFacts) => found.push(facts), called() {} };
  const executor = new EngineExecutor({ ...options, ...overrides }, listener);
  closers.push(() => executor.close());
  return { executor, found, chain: new ChainDriver(executor) };
}

function tx(byte: number) {
  const bytes = new Uint8Array(40).fill(byte);
  // A type that the client's pool takes from others than this node, too.
  bytes[0] = 2;
  return { tx: bytes, id: transactionHash(bytes), text: `0x${Buffer.from(bytes).toString("hex")}` };
}

/** What the client has executed, in the order of its bytes. */
function executed(client: FakeEvReth): string[] {
  return client.executed.toSorted();
}

async function failureOf(call: Promise<unknown>): Promise<ExecutionError> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ExecutionError);
  return error as ExecutionError;
}

describe("a client that takes lists of transactions", () => {
  it("is found out, and runs what is in its pool and what waits, each once", async () => {
    const { client, chain, found, executor } = await begin();
    expect(found).toEqual([
      { version: "ev-reth/fake", buildsBlocks: false, headHeight: 0, lacksDebug: false },
    ]);
    expect(executor.timestampStepNs).toBe(1n);
    client.pool = [tx(1).text, tx(2).text];
    const first = await chain.produce([tx(3), tx(1)]);
    expect(first.txs).toEqual([tx(1).tx, tx(2).tx, tx(3).tx]);
    expect((await chain.produce([tx(4)])).txs).toEqual([tx(4).tx]);
    expect(client.headNumber).toBe(2);
  });

  it("gets no block with what it has refused: a signature that is none ends no chain", async () => {
    const { client, chain } = await begin();
    client.unrecoverable.add(tx(1).text);
    const waiting = [tx(1), tx(2)];
    expect((await chain.produce(waiting)).txs).toEqual([tx(2).tx]);
    expect((await chain.produce(waiting)).txs).toEqual([]);
    expect(client.headNumber).toBe(2);
  });

  it("gets no more than a block has gas for; the rest is in later blocks, and all is executed (P7)", async () => {
    const { client, chain } = await begin();
    client.blockGasTxs = 2;
    const waiting = [1, 2, 3, 4, 5].map(tx);
    const blocks = await chain.include(waiting);
    expect(blocks.map(({ txs }) => txs.length)).toEqual([2, 2, 1]);
    expect(executed(client)).toEqual(waiting.map(({ text }) => text).toSorted());
  });

  it("gets a sender's transactions in the order of their nonces, whatever order they came in (P7)", async () => {
    const { client, chain } = await begin();
    client.nextAfter.set(tx(1).text, tx(2).text).set(tx(2).text, tx(4).text);
    const waiting = [tx(1), tx(2), tx(5)];
    // Of the first nonce there is none yet: what comes after it still waits.
    expect((await chain.produce(waiting)).txs).toEqual([tx(5).tx]);
    const [block] = await chain.include([...waiting, tx(4)]);
    expect(block?.txs).toEqual([tx(4).tx, tx(2).tx, tx(1).tx]);
    expect(executed(client)).toEqual([tx(1), tx(2), tx(4), tx(5)].map(({ text }) => text));
  });

  it("is offered what waits before the block is due", async () => {
    const { client, chain, executor } = await begin();
    await executor.prepare(chain.next([tx(1), tx(2)]));
    expect(client.pool.toSorted()).toEqual([tx(1).text, tx(2).text]);
  });

  it("could never be sent a transaction of megabytes: it is refused at once, though the client is away", async () => {
    const { client, executor } = await begin();
    await client.eth.stop();
    const huge = new Uint8Array(3 * 1024 * 1024).fill(2);
    expect(executor.checkTx(huge)).toContain("more than an execution client takes in one request");
    expect(executor.checkTx(huge.subarray(0, 128 * 1024))).toBeNull();
    await client.eth.start();
  });

  it("names a blob transaction that came by another way: it is in no block", async () => {
    const { client, chain } = await begin();
    client.pool = [`0x03${"01".repeat(39)}`, tx(1).text];
    expect((await chain.produce()).txs).toEqual([tx(1).tx]);
  });

  it("loses the method that names its pool: it is unavailable, and no block is empty for that", async () => {
    const { client, chain } = await begin();
    const honest = client.eth.handler;
    client.eth.handler = (asked, response) =>
      asked.method === "txpoolExt_getTxs" ? new Refusal(-32601) : honest(asked, response);
    const failure = await failureOf(chain.build([tx(1)]));
    expect(failure.code).toBe("EXECUTION_UNAVAILABLE");
    expect(failure.message).toContain("it had this method before");
    client.eth.handler = honest;
    expect((await chain.produce([tx(1)])).txs).toEqual([tx(1).tx]);
  });

  it("is asked for nothing before the block is committed (P2)", async () => {
    const { client, chain, executor } = await begin();
    const before = client.engine.methods.length;
    await executor.prepare(chain.next([tx(1)]));
    await chain.build([tx(1)]);
    expect(client.engine.methods).toHaveLength(before);
  });

  it("is asked in ev-node's order for each block", async () => {
    const { client, chain } = await begin();
    await chain.produce([tx(1)]);
    const before = client.engine.methods.length;
    await chain.produce([tx(2)]);
    expect(client.engine.methods.slice(before)).toEqual([
      "engine_forkchoiceUpdatedV3",
      "engine_getPayloadV4",
      "engine_newPayloadV4",
      "engine_forkchoiceUpdatedV3",
    ]);
    expect(client.heads).toHaveLength(2);
  });

  it("may leave out transactions that fail: the block that comes again is still the same", async () => {
    const { client, chain, urls } = await begin();
    client.failing.add(tx(1).text);
    const block = await chain.produce([tx(1), tx(2)]);
    const again = connect(urls);
    await again.executor.initChain(genesis);
    expect(await again.executor.executeTxs(block)).toEqual({ appHash: chain.appHash });
    expect(client.heads).toHaveLength(1);
  });

  it("safe and finalized follow at their distance, from the genesis on", async () => {
    const { client, chain, executor } = await begin();
    for (let height = 1; height <= 5; height++) await chain.produce();
    const hashOf = (height: number) => client.heads[height - 1];
    const states = () =>
      client.engine.asked.flatMap(({ params: [state] }) => (state ? [state] : []));
    expect(states().at(-1)).toEqual({
      headBlockHash: hashOf(5),
      safeBlockHash: hashOf(3),
      finalizedBlockHash: hashOf(2),
    });
    await executor.setFinal(6);
    await chain.produce();
    expect(states().at(-1)).toMatchObject({
      safeBlockHash: hashOf(6),
      finalizedBlockHash: hashOf(6),
    });
  });
});

describe("a client that is not where the chain is", () => {
  it("has another genesis: both hashes, and which of the two to correct", async () => {
    const genesisHash = "ab".repeat(32);
    const failure = await failureOf(begin({ genesisHash }));
    expect(failure.code).toBe("EXECUTION_UNSUITABLE");
    expect(failure.message).toMatch(
      /its genesis block is 0x\w{64}, and evm\.genesis_hash 0x(ab){32}/,
    );
  });

  it("has the genesis that was named", async () => {
    const { urls, client } = await begin();
    const { executor } = connect(urls, { genesisHash: client.headHash.slice(2).toUpperCase() });
    await executor.initChain(genesis);
  });

  it("cannot begin at another height than 1", async () => {
    const { executor } = await begin();
    const failure = await failureOf(executor.initChain({ ...genesis, initialHeight: 5 }));
    expect(failure.message).toContain("initial_height 5; write 1");
  });

  it("is behind: what lies between has to be run first", async () => {
    const { client, chain, executor } = await begin();
    for (let height = 1; height <= 5; height++) await chain.produce();
    const block = await chain.build();
    client.rewind(2);
    const first = await failureOf(chain.execute(block));
    expect(first.code).toBe("EXECUTION_UNAVAILABLE");
    const second = await failureOf(chain.execute(block));
    expect(second.detail).toEqual({ code: "EXECUTION_GAP", height: 6, nextHeight: 3 });
    expect(await chain.replayInto(executor)).toBe(3);
    await chain.execute(block);
  });

  it("is ahead, by blocks that the log brings again", async () => {
    const { client, chain, urls } = await begin();
    for (let height = 1; height <= 5; height++) await chain.produce([tx(height)]);
    const { executor } = connect(urls);
    await executor.initChain(genesis);
    for (const block of chain.blocks) await executor.executeTxs(block);
    expect(client.heads).toHaveLength(5);
  });

  it("is ahead by a block with other transactions: divergence", async () => {
    const { chain, executor } = await begin();
    await chain.produce([tx(1)]);
    const [block] = chain.blocks;
    if (block === undefined) throw new Error("no block");
    const failure = await failureOf(executor.executeTxs({ ...block, txs: [tx(2).tx] }));
    expect(failure.detail).toMatchObject({ code: "EXECUTION_DIVERGED", height: 1 });
  });

  it("holds another state than the block runs on: divergence with both hashes", async () => {
    const { client, chain, urls } = await begin();
    await chain.produce([tx(1)]);
    const before = Buffer.from(chain.appHash).toString("hex");
    client.branch();
    const restarted = connect(urls);
    await restarted.executor.initChain(genesis);
    const next = { ...chain.next(), prevAppHash: chain.appHash, txs: [] };
    const failure = await failureOf(restarted.executor.executeTxs(next));
    expect(failure.detail).toMatchObject({
      code: "EXECUTION_CLIENT_DIVERGED",
      height: 1,
      committedHash: `0x${before}`,
    });
    expect(failure.message).toMatch(/^state divergence at height 1: .*0x\w{64}.*0x\w{64}/);
    expect(client.headNumber).toBe(1);
  });
});

describe("a client that answers otherwise", () => {
  it.each([
    ["INVALID", "engine_newPayloadV4", "EXECUTION_REJECTED"],
    ["INVALID_BLOCK_HASH", "engine_newPayloadV4", "EXECUTION_REJECTED"],
    ["SYNCING", "engine_newPayloadV4", "EXECUTION_UNAVAILABLE"],
    ["ACCEPTED", "engine_newPayloadV4", "EXECUTION_UNAVAILABLE"],
  ])("with %s to %s: %s, and its head stays", async (status, method, code) => {
    const { client, chain } = await begin();
    await chain.produce();
    const honest = client.engine.handler;
    client.engine.handler = (asked, response) => {
      const isAsked = asked.method === method;
      return isAsked ? { status, latestValidHash: null } : honest(asked, response);
    };
    const block = await chain.build([tx(1)]);
    expect((await failureOf(chain.execute(block))).code).toBe(code);
    expect(client.headNumber).toBe(1);
    client.engine.handler = honest;
    await chain.execute(block);
    expect(client.headNumber).toBe(2);
  });

  describe("VALID to a new head, and does not move it", () => {
    async function beginStuck(forget: () => unknown, version = "Geth/v1.16.9") {
      const { client, chain } = await begin();
      await chain.produce();
      const block = await chain.build();
      const [engine, eth] = [client.engine.handler, client.eth.handler];
      client.engine.handler = (asked, response) => {
        const moves = asked.method === "engine_forkchoiceUpdatedV3" && asked.params[1] === null;
        const payloadStatus = { status: "VALID", latestValidHash: null };
        return moves ? { payloadStatus, payloadId: null } : engine(asked, response);
      };
      client.eth.handler = (asked, response) => {
        if (asked.method === "web3_clientVersion") return version;
        return asked.method === "debug_setHead" ? forget() : eth(asked, response);
      };
      const release = () => {
        client.engine.handler = engine;
      };
      return { client, chain, block, release };
    }

    it("lets it forget what is above its head, and asks again", async () => {
      const { client, chain, block, release } = await beginStuck(() => null);
      const failure = await failureOf(chain.execute(block));
      expect(failure.code).toBe("EXECUTION_UNAVAILABLE");
      expect(failure.message).toContain("its head is 1 after it was told");
      const forgotten = client.eth.asked.filter(({ method }) => method === "debug_setHead");
      expect(forgotten).toMatchObject([{ params: ["0x1"] }]);
      release();
      await chain.execute(block);
    });

    it("says what to do if it offers no such call, and asks again", async () => {
      const { chain, block, release } = await beginStuck(() => new Refusal(-32601));
      const failure = await failureOf(chain.execute(block));
      expect(failure.code).toBe("EXECUTION_UNAVAILABLE");
      expect(failure.message).toContain("lost the states of blocks above 1 in a crash");
      release();
      await chain.execute(block);
    });
  });

  it("a head that is late, and is no geth: it is asked again, and told to forget nothing", async () => {
    const { client, chain, executor } = await begin();
    await chain.produce();
    const late = chain.blocks.length;
    const block = await chain.build();
    const honest = client.engine.handler;
    let isLate = true;
    client.engine.handler = (asked, response) => {
      const moves = asked.method === "engine_forkchoiceUpdatedV3" && asked.params[1] === null;
      if (!moves || !isLate) return honest(asked, response);
      return { payloadStatus: { status: "VALID", latestValidHash: null }, payloadId: null };
    };
    const failure = await failureOf(chain.execute(block));
    expect(failure.message).toContain(`its head is ${late} after it was told`);
    expect(client.eth.methods).not.toContain("debug_setHead");
    isLate = false;
    await chain.execute(block);
    expect(await executor.head()).toMatchObject({ height: late + 1 });
  });

  it("a head below the block to build on: the blocks between are to be run first", async () => {
    const { client, chain } = await begin();
    for (let height = 1; height <= 3; height++) await chain.produce();
    const honest = client.eth.handler;
    client.eth.handler = () => new Refusal(-32603, "shutting down");
    const refused = await failureOf(chain.build());
    expect(refused.code).toBe("EXECUTION_UNAVAILABLE");
    // What is asked for as the latest block is an older one: the client was restarted, and has lost the others.
    client.eth.handler = (asked, response) => {
      const isHead = asked.method === "eth_getBlockByNumber" && asked.params[0] === "latest";
      return honest(isHead ? { ...asked, params: ["0x1", false] } : asked, response);
    };
    const failure = await failureOf(chain.build());
    expect(failure.detail).toEqual({ code: "EXECUTION_GAP", height: 4, nextHeight: 2 });
  });

  it("SYNCING to a block: it is told that the head it has is the head", async () => {
    const { client, chain } = await begin();
    await chain.produce();
    const block = await chain.build();
    const honest = client.engine.handler;
    const affirmed: unknown[] = [];
    client.engine.handler = (asked, response) => {
      const { method, params } = asked;
      const isHead = method === "engine_forkchoiceUpdatedV3" && params[1] === null;
      if (isHead) affirmed.push(params[0]);
      const isSyncing = method === "engine_newPayloadV4" && affirmed.length === 0;
      return isSyncing ? { status: "SYNCING", latestValidHash: null } : honest(asked, response);
    };
    const { code } = await failureOf(chain.execute(block));
    expect(code).toBe("EXECUTION_UNAVAILABLE");
    expect(client.headNumber).toBe(1);
    await chain.execute(block);
    expect(affirmed).toHaveLength(2);
    expect(affirmed[0]).not.toEqual(affirmed[1]);
    expect(client.headNumber).toBe(2);
  });

  it.each<[string, () => unknown]>([
    ["an error", () => new Refusal(-32603, "internal error")],
    ["nonsense", () => "hello"],
  ])(
    "with %s, anywhere: unavailable, and the block comes through in the end",
    async (_name, say) => {
      const { client, chain, executor } = await begin();
      const block = await chain.build([tx(1)]);
      let calls = 0;
      let failAt = 0;
      for (const server of [client.engine, client.eth]) {
        const honest = server.handler;
        server.handler = (asked, response) => {
          const isNow = calls === failAt;
          calls++;
          return isNow ? say() : honest(asked, response);
        };
      }
      for (; ; failAt++) {
        calls = 0;
        const outcome = await executor.executeTxs(block).catch((error: unknown) => error);
        if (!(outcome instanceof ExecutionError)) break;
        expect(outcome.code).toBe("EXECUTION_UNAVAILABLE");
      }
      // Every call of a block was the failing one once.
      expect(failAt).toBeGreaterThanOrEqual(5);
      await chain.execute(block);
      expect(client.heads).toHaveLength(1);
    },
  );
});
