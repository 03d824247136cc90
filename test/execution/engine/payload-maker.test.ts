/** A client that fills blocks by itself, also with more than a block of ours can hold. */

import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { type ClientBlock, zeroHash } from "../../../src/execution/engine/answers.ts";
import { EngineApi } from "../../../src/execution/engine/engine-api.ts";
import { EthApi } from "../../../src/execution/engine/eth-api.ts";
import { JsonRpcClient } from "../../../src/execution/engine/json-rpc.ts";
import { PayloadMaker } from "../../../src/execution/engine/payload-maker.ts";
import { genesis } from "./chain-driver.ts";
import { type Handler, Refusal, ScriptedServer } from "./scripted-server.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const parent: ClientBlock = {
  number: 0,
  hash: zeroHash,
  parentHash: zeroHash,
  stateRoot: zeroHash,
  timestamp: 0,
  gasLimit: 200_000_000,
  transactions: [],
};

async function makerFor(handler: Handler): Promise<PayloadMaker> {
  const server = new ScriptedServer(handler);
  const rpc = new JsonRpcClient({ url: await server.start(), token: null });
  closers.push(
    () => server.stop(),
    () => rpc.close(),
  );
  return new PayloadMaker({
    engine: new EngineApi(rpc),
    eth: new EthApi(rpc),
    feeRecipient: `0x${"0".repeat(40)}`,
    blockTimeMs: 1_000,
    forkchoiceOf: async () => ({
      headBlockHash: zeroHash,
      safeBlockHash: zeroHash,
      finalizedBlockHash: zeroHash,
    }),
  });
}

const attributesSchema = z.object({ timestamp: z.string() }).nullish();

/** As geth: each payload is named by what was asked for, empty at first, and full a while later. */
function clientWithPool(transactionCount: number): Handler {
  const sinceMs = new Map<string, number>();
  return ({ method, params }) => {
    if (method.startsWith("engine_forkchoiceUpdated")) {
      const payloadId = attributesSchema.parse(params[1])?.timestamp ?? null;
      if (payloadId !== null && !sinceMs.has(payloadId)) sinceMs.set(payloadId, performance.now());
      return { payloadStatus: { status: "VALID", latestValidHash: null }, payloadId };
    }
    const timestamp = z.string().parse(params[0]);
    const isFull = performance.now() - (sinceMs.get(timestamp) ?? 0) > 50;
    const executionPayload = {
      parentHash: zeroHash,
      stateRoot: zeroHash,
      blockHash: zeroHash,
      blockNumber: "0x1",
      timestamp,
      transactions: isFull ? Array<string>(transactionCount).fill("0x02f8") : [],
    };
    return { executionPayload, blockValue: "0x0" };
  };
}

function blockAt(maker: PayloadMaker, nth: number) {
  return {
    height: 1,
    timestampNs: genesis.genesisTimeNs + BigInt(nth) * maker.timestampStepNs,
    waiting: () => [],
    isKnownTx: () => false,
  };
}

it("begins once more if the client has dropped what was begun", async () => {
  const client = clientWithPool(2);
  const methods: string[] = [];
  const maker = await makerFor((asked, response) => {
    methods.push(asked.method.replace(/V\d$/, ""));
    const isDropped = asked.method.startsWith("engine_getPayload") && methods.length === 2;
    return isDropped ? new Refusal(-38001, "Unknown payload") : client(asked, response);
  });
  const block = blockAt(maker, 1);
  await maker.prepare(block, parent);
  // The payload itself, and the two.
  expect(await maker.build(block, parent)).toHaveLength(3);
  expect(methods).toEqual([
    "engine_forkchoiceUpdated",
    "engine_getPayload",
    "engine_forkchoiceUpdated",
    "engine_getPayload",
  ]);
});

it("goes on with empty blocks where the client's are too large", async () => {
  const maker = await makerFor(clientWithPool(100_000));
  const outcomes: string[] = [];
  // Each attempt is of a later second. A machine that stands still makes an empty one full, as any may be.
  for (let nth = 1; nth <= 100 && !outcomes.includes("1 transactions"); nth++) {
    const block = blockAt(maker, nth);
    await maker.prepare(block, parent);
    outcomes.push(
      await maker.build(block, parent).then(
        (txs) => `${txs.length} transactions`,
        (error) => error.detail.code,
      ),
    );
  }
  expect(outcomes[0]).toBe("ENGINE_BLOCK_TOO_LARGE");
  expect(outcomes.at(-1)).toBe("1 transactions");
});
