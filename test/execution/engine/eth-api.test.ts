/** Transactions on their way into the client's own pool, and how long calls stay without an answer. */

import { afterEach, describe, expect, it } from "vitest";
import { CallWatch, type FinishedCall } from "../../../src/execution/engine/call-watch.ts";
import { EthApi, offeredTxMaxBytes } from "../../../src/execution/engine/eth-api.ts";
import { JsonRpcClient } from "../../../src/execution/engine/json-rpc.ts";
import { type Handler, Refusal, ScriptedServer } from "./scripted-server.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function connect(handler: Handler) {
  const server = new ScriptedServer(handler);
  const url = await server.start();
  closers.push(() => server.stop());
  const calls: FinishedCall[] = [];
  const watch = new CallWatch((call) => calls.push(call));
  const rpc = new JsonRpcClient({ url, token: null, watch });
  closers.push(() => rpc.close());
  return { server, eth: new EthApi(rpc), watch, calls };
}

const tx = Uint8Array.of(2, 3);
const hash = new Uint8Array(32).fill(7);
const hashText = `0x${"07".repeat(32)}`;

/** The client refuses the transaction with these words, and has it or not. */
function refusing(said: string, known: unknown): Handler {
  return ({ method }) => (method === "eth_sendRawTransaction" ? new Refusal(-32000, said) : known);
}

/** A proxy that lets no more than so many bytes through. */
function tooLargeFor(maxBytes: number): Handler {
  return ({ method, body }, response) => {
    if (method !== "eth_sendRawTransaction") return null;
    if (body.length <= maxBytes) return hashText;
    response.statusCode = 413;
    return void response.end("Request Entity Too Large");
  };
}

describe("a transaction that is offered", () => {
  it("belongs into a block if the client takes it", async () => {
    const { server, eth } = await connect(() => hashText);
    expect(await eth.offer(tx, hash)).toBeNull();
    expect(server.asked).toMatchObject([{ method: "eth_sendRawTransaction", params: ["0x0203"] }]);
  });

  it.each([
    ["nonce too low: next nonce 5, tx nonce 3", true],
    ["invalid sender: invalid transaction v, r, s values", true],
    ["invalid transaction signature", true],
    ["insufficient funds for gas * price + value", false],
    ["replacement transaction underpriced", false],
    ["txpool is full", false],
  ])("does not if the client refuses it: %s", async (said, isFinal) => {
    const { server, eth } = await connect(refusing(said, null));
    expect(await eth.offer(tx, hash)).toEqual({ reason: said, isFinal });
    const asked = { method: "eth_getTransactionByHash", params: [hashText] };
    expect(server.asked.at(-1)).toMatchObject(asked);
  });

  it.each(["already known", "nonce too low: next nonce 4, tx nonce 3"])(
    "does if the client has it, whatever it says: %s",
    async (said) => {
      const { eth } = await connect(refusing(said, { hash: hashText, blockNumber: "0x1" }));
      expect(await eth.offer(tx, hash)).toBeNull();
    },
  );

  it("may belong into one if the client does not answer, or not as it should", async () => {
    const { server, eth } = await connect((_asked, response) => void response.destroy());
    expect(await eth.offer(tx, hash)).toBeNull();
    server.handler = () => "no hash";
    expect(await eth.offer(tx, hash)).toBeNull();
    server.handler = ({ method }, response) =>
      method === "eth_sendRawTransaction" ? new Refusal(-32000) : void response.destroy();
    expect(await eth.offer(tx, hash)).toBeNull();
  });

  it("does not if it is too large for who stands before the client", async () => {
    const { eth } = await connect(tooLargeFor(100));
    const large = new Uint8Array(60);
    expect(await eth.offer(large, hash)).toEqual({
      reason: "the execution client takes no request that large (HTTP status 413)",
      isFinal: false,
    });
  });

  it("is not sent if no geth reads it: it would end the connection", async () => {
    const { server, eth } = await connect(() => hashText);
    const huge = new Uint8Array(offeredTxMaxBytes + 1);
    const unfit = await eth.offer(huge, hash);
    expect(unfit).toMatchObject({ isFinal: true });
    expect(unfit?.reason).toMatch(/^2620929 bytes are more than an execution client takes/);
    expect(await eth.offerTransactions([huge, tx], 60_000)).toBe(2);
    expect(server.asked).toMatchObject([{ params: ["0x0203"] }]);
    await eth.offer(huge.subarray(1), hash);
    expect(server.asked.at(-1)?.body.length).toBeLessThanOrEqual(5 * 1024 * 1024);
  });
});

describe("calls", () => {
  it("are known by their number until they are answered, the oldest first", async () => {
    const answers: (() => void)[] = [];
    const { eth, watch } = await connect(
      () => new Promise((resolve) => answers.push(() => resolve("name"))),
    );
    expect(watch.oldest).toBeNull();
    const first = eth.clientVersion();
    const oldest = watch.oldest;
    expect(oldest).not.toBeNull();
    const second = eth.clientVersion();
    expect(watch.oldest).toBe(oldest);
    while (answers.length < 2) await new Promise((resolve) => setTimeout(resolve, 2));
    for (const answer of answers) answer();
    await Promise.all([first, second]);
    expect(watch.oldest).toBeNull();
  });

  it("are told with their method and what they took, whether or not they failed", async () => {
    const { server, eth, watch, calls } = await connect(() => "name");
    await eth.clientVersion();
    server.handler = () => new Refusal(-32000);
    await eth.clientVersion().catch(() => null);
    const method = "web3_clientVersion";
    expect(calls).toMatchObject([
      { method, hasFailed: false },
      { method, hasFailed: true },
    ]);
    for (const { seconds } of calls) expect(seconds).toBeGreaterThan(0);
    expect(watch.oldest).toBeNull();
  });
});

describe("transactions that are offered together", () => {
  const txs = Array.from({ length: 20 }, (_, at) => Uint8Array.of(at));

  it("are all offered, in their order, those too that the client refuses", async () => {
    const { server, eth } = await connect(() => new Refusal(-32000, "already known"));
    expect(await eth.offerTransactions(txs, 60_000)).toBe(20);
    const offered = server.asked.map(({ params }) => params[0]);
    expect(offered.toSorted()).toEqual(txs.map((tx) => `0x${Buffer.from(tx).toString("hex")}`));
  });

  it("are all offered where some are too large for who stands before the client", async () => {
    const { server, eth } = await connect(tooLargeFor(100));
    expect(await eth.offerTransactions([new Uint8Array(60), ...txs], 60_000)).toBe(21);
    expect(server.asked).toHaveLength(21);
  });

  it("are left for another time once their time is over, and some are offered in any case", async () => {
    const { server, eth } = await connect(() => hashText);
    const count = await eth.offerTransactions(txs, 0);
    expect(count).toBe(8);
    expect(server.asked).toHaveLength(8);
  });
});
