/** What a client of ev-reth's kind is asked for the first blocks, byte for byte as ev-node asks. */

import { expect, it, onTestFinished } from "vitest";
import { EngineExecutor } from "../../../src/execution/engine/engine.ts";
import { transactionHash } from "../../../src/execution/engine/payload-block.ts";
import { ChainDriver, genesis } from "./chain-driver.ts";
import { FakeEvReth, jwtSecret } from "./fake-ev-reth.ts";

const blocks = 6;
const feeRecipient = `0x${"2f".repeat(20)}`;
const zeros = "0".repeat(64);
const genesisSeconds = Number(genesis.genesisTimeNs / 1_000_000_000n);

/** Of each block: none, one, two and so on; none twice. */
const txsOf = (height: number) =>
  Array.from({ length: height - 1 }, (_, nth) => `020${height}0${nth}${"0a".repeat(20)}`);

async function produceAll(): Promise<FakeEvReth> {
  const client = new FakeEvReth();
  const urls = await client.start();
  onTestFinished(() => client.stop());
  const lags = {
    safeLag: 2,
    finalizedLag: 3,
    txLifetimeMs: 3_600_000,
    blockTimeNs: 1_000_000_000n,
  };
  const executor = new EngineExecutor(
    { ...urls, jwtSecret, genesisHash: null, feeRecipient, ...lags },
    { connected() {}, called() {} },
  );
  onTestFinished(() => executor.close());
  const chain = new ChainDriver(executor);
  await chain.begin();
  for (let height = 1; height <= blocks; height++) {
    const waiting = txsOf(height).map((hex) => {
      const tx = new Uint8Array(Buffer.from(hex, "hex"));
      return { tx, id: transactionHash(tx) };
    });
    await chain.produce(waiting);
  }
  return client;
}

it("as ev-node asks: steps 3 to 6 of section 8.2, with the attributes of section 8.3", async () => {
  const client = await produceAll();
  const genesisHash = JSON.parse(client.engine.asked[1]?.body ?? "").params[0].headBlockHash;
  const hashes = [genesisHash, ...client.heads];
  const stateAt = (height: number) => {
    // "safe: n-2 if n>2 else unchanged, finalized: n-3 if n>3 else unchanged", from the genesis on.
    const safe = hashes[height > 2 ? height - 2 : 0];
    const finalized = hashes[height > 3 ? height - 3 : 0];
    return `{"headBlockHash":"${hashes[height]}","safeBlockHash":"${safe}","finalizedBlockHash":"${finalized}"}`;
  };
  const attributesOf = (height: number) =>
    `{"timestamp":${genesisSeconds + height},` +
    `"prevRandao":"0x${height.toString(16).padStart(64, "0")}",` +
    `"suggestedFeeRecipient":"${feeRecipient}","withdrawals":[],` +
    `"parentBeaconBlockRoot":"0x${zeros}",` +
    `"transactions":[${txsOf(height).map((hex) => `"0x${hex}"`)}],"gasLimit":30000000}`;
  const callsOf = (height: number) => [
    ["engine_forkchoiceUpdatedV3", `${stateAt(height - 1)},${attributesOf(height)}`],
    ["engine_getPayloadV4", `"${hashes[height]?.slice(0, 18)}"`],
    ["engine_newPayloadV4", `PAYLOAD,[],"0x${zeros}",[]`],
    ["engine_forkchoiceUpdatedV3", `${stateAt(height)},null`],
  ];
  const expected = Array.from({ length: blocks }, (_, at) => callsOf(at + 1))
    .flat()
    // The first request asks for the client's methods.
    .map(([method, params], at) => requestOf(at + 2, `${method}`, `${params}`));
  const [first, ...asked] = client.engine.asked.map(({ body }) => body);
  expect(first).toContain('"method":"engine_exchangeCapabilities"');
  // The payload goes back as it came, which the client checks: the order of its fields means nothing.
  const payload = /\{"parentHash":.*?\}(?=,\[\],)/;
  expect(asked.map((body) => body.replace(payload, "PAYLOAD"))).toEqual(expected);
  expect(client.headNumber).toBe(blocks);
});

it("on its other port: its pool for each block, and where it stands", async () => {
  const client = await produceAll();
  const asked = client.eth.asked.map(({ body }) => body);
  expect(asked).toEqual(asked.map((body, at) => body.replace(/"id":\d+/, `"id":${at + 1}`)));
  const counts = new Map<string, number>();
  for (const body of asked) {
    const question = body.replace(/"id":\d+/, '"id":1');
    counts.set(question, (counts.get(question) ?? 0) + 1);
  }
  // At the start all methods are tried, to find out what the client is.
  expect(counts.get(requestOf(1, "txpoolExt_getTxs", ""))).toBe(1 + blocks);
  expect(counts.get(requestOf(1, "eth_getBlockByNumber", '"latest",false'))).toBe(1 + blocks);
  expect(counts.get(requestOf(1, "eth_getBlockByNumber", '"0x0",false'))).toBeGreaterThan(0);
});

function requestOf(id: number, method: string, params: string): string {
  return `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":[${params}]}`;
}
