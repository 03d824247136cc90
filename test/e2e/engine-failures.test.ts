/** What goes wrong between a node and its execution client: each is told clearly, and passes by itself. */

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { sleep } from "../../src/base/task-group.ts";
import { EngineExecutor, type EngineOptions } from "../../src/execution/engine/engine.ts";
import { ExecutionError } from "../../src/execution/errors.ts";
import { ChainDriver, genesis } from "../execution/engine/chain-driver.ts";
import { hasGeth, needingGeth } from "../geth/binary.ts";
import { exampleGenesis, Geth } from "../geth/geth.ts";

const root = mkdtempSync(join(tmpdir(), "engine-failures-"));
const closers: (() => Promise<void>)[] = [];
let count = 0;

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
afterAll(() => rmSync(root, { recursive: true }));

function newGeth(options: { readonly genesis?: unknown } = {}): Geth {
  count++;
  const geth = new Geth({ directory: join(root, String(count)), ...options });
  closers.push(() => geth.kill());
  return geth;
}

function connect(geth: Geth, overrides: Partial<EngineOptions> = {}) {
  const { ethUrl, engineUrl, jwtSecret } = geth;
  const options = { ethUrl, engineUrl, jwtSecret, genesisHash: null, feeRecipient: null };
  const lags = {
    safeLag: 2,
    finalizedLag: 3,
    txLifetimeMs: 3_600_000,
    blockTimeNs: 1_000_000_000n,
  };
  const executor = new EngineExecutor(
    { ...options, ...lags, ...overrides },
    { connected() {}, called() {} },
  );
  closers.push(() => executor.close());
  return { executor, chain: new ChainDriver(executor) };
}

async function failureOf(call: Promise<unknown>): Promise<ExecutionError> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ExecutionError);
  return error as ExecutionError;
}

describe.skipIf(!hasGeth())(needingGeth("an execution client"), () => {
  let geth: Geth;
  beforeEach(async () => {
    geth = newGeth();
    await geth.start();
  });

  it("has another JWT secret: it says so at once, and what to compare", async () => {
    const { executor } = connect(geth, { jwtSecret: randomBytes(32) });
    const failure = await failureOf(executor.initChain(genesis));
    expect(failure.code).toBe("EXECUTION_UNAVAILABLE");
    expect(failure.message).toMatch(/refuses the token .*same JWT secret.*within 60 s/);
  });

  it("has a clock that is an hour away", async () => {
    const unixSeconds = () => Math.floor(Date.now() / 1000) - 3_600;
    const { executor } = connect(geth, { unixSeconds });
    const failure = await failureOf(executor.initChain(genesis));
    expect(failure.code).toBe("EXECUTION_UNAVAILABLE");
    expect(failure.message).toMatch(/refuses the token \("(stale token|token is expired)/);
  });

  it("is confused with its other port", async () => {
    const { executor } = connect(geth, { engineUrl: geth.ethUrl });
    const failure = await failureOf(executor.initChain(genesis));
    expect(failure.message).toContain("refuses engine_exchangeCapabilities with error -32601");
  });

  it("is down, and comes back", async () => {
    const { chain } = connect(geth);
    await chain.begin();
    await chain.produce();
    const block = await chain.build();
    await geth.stop();
    const failure = await failureOf(chain.execute(block));
    expect(failure.code).toBe("EXECUTION_UNAVAILABLE");
    expect(failure.message).toMatch(/cannot be reached \(ECONNREFUSED\): start it/);
    await geth.start();
    await chain.execute(block);
    await chain.produce();
  });

  it("hangs: each call ends, and the block is executed once when it goes on", async () => {
    const { chain, executor } = connect(geth);
    await chain.begin();
    await chain.produce();
    const block = await chain.build();
    geth.pause();
    const failure = await failureOf(chain.execute(block));
    expect(failure.code).toBe("EXECUTION_UNAVAILABLE");
    expect(failure.message).toMatch(/has not answered engine_newPayloadV4 within 8 s/);
    geth.resume();
    await sleep(100);
    await chain.execute(block);
    expect(await executor.head()).toEqual({ height: 2, appHash: chain.appHash });
  });

  it("does not hold up the stop of the node while it hangs", async () => {
    const { chain, executor } = connect(geth);
    await chain.begin();
    const block = await chain.build();
    geth.pause();
    const failure = failureOf(chain.execute(block));
    await sleep(100);
    await executor.close();
    expect((await failure).message).toContain("the node is stopping");
  });

  it("has another genesis", async () => {
    const other = newGeth({ genesis: { ...exampleGenesis, timestamp: "0x1" } });
    await other.start();
    const { executor } = connect(other, { genesisHash: "0x".padEnd(66, "1") });
    const failure = await failureOf(executor.initChain(genesis));
    expect(failure.code).toBe("EXECUTION_UNSUITABLE");
    expect(failure.message).toMatch(/its genesis block is 0x\w{64}, and evm\.genesis_hash 0x1{64}/);
  });

  it("disagrees about a block: the node must stop, and says which block", async () => {
    const { chain } = connect(geth);
    await chain.begin();
    const block = await chain.build();
    const [frame = new Uint8Array(), ...txs] = block.txs;
    const json = Buffer.from(frame.subarray(1)).toString("utf8");
    const altered = json.replace(/"gasUsed":"0x\w+"/, '"gasUsed":"0x5208"');
    expect(altered).not.toBe(json);
    const bytes = new Uint8Array(Buffer.concat([Uint8Array.of(0x80), Buffer.from(altered)]));
    const failure = await failureOf(chain.execute({ ...block, txs: [bytes, ...txs] }));
    expect(failure.code).toBe("EXECUTION_REJECTED");
    expect(failure.message).toMatch(
      /^state divergence at height 1: the execution client rejects the committed block 0x\w{64}/,
    );
    await chain.execute(block);
  });

  it("is too slow for the blocks: it knows seconds only", async () => {
    const { executor } = connect(geth, { blockTimeNs: 999_000_000n });
    const failure = await failureOf(executor.initChain(genesis));
    expect(failure.code).toBe("EXECUTION_UNSUITABLE");
    expect(failure.message).toContain(
      "it needs 1 s from a block to the next; raise node.block_time",
    );
  });

  it("lacks the forks: it says which", async () => {
    const { pragueTime: _, ...config } = exampleGenesis.config;
    const old = newGeth({ genesis: { ...exampleGenesis, config } });
    await old.start();
    const failure = await failureOf(connect(old).executor.initChain(genesis));
    expect(failure.code).toBe("EXECUTION_UNSUITABLE");
    expect(failure.message).toContain("its genesis has not all forks up to Prague at time 0");
  });
});
