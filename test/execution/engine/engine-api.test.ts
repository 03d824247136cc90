/** Versions, parameters and answers as ev-node has them: its vectors, by name. */

import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { zeroHash } from "../../../src/execution/engine/answers.ts";
import { EngineApi, type PayloadAttributes } from "../../../src/execution/engine/engine-api.ts";
import { EngineError } from "../../../src/execution/engine/errors.ts";
import { JsonRpcClient } from "../../../src/execution/engine/json-rpc.ts";
import { vector } from "../../block/vectors.ts";
import { type Handler, Refusal, ScriptedServer } from "./scripted-server.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function connect(handler: Handler) {
  const server = new ScriptedServer(handler);
  const rpc = new JsonRpcClient({ url: await server.start(), token: null });
  closers.push(
    () => server.stop(),
    () => rpc.close(),
  );
  return { server, engine: new EngineApi(rpc) };
}

const payload = {
  parentHash: zeroHash,
  stateRoot: `0x${"0".repeat(63)}1`,
  blockHash: `0x${"0".repeat(63)}2`,
  blockNumber: "0x1",
  timestamp: "0x1",
  transactions: [],
  fieldOfAnotherFork: "0x7",
};
const valid = { status: "VALID", latestValidHash: null, validationError: null };
const forkchoice = {
  headBlockHash: zeroHash,
  safeBlockHash: zeroHash,
  finalizedBlockHash: zeroHash,
};
const attributes: PayloadAttributes = {
  height: 12,
  timestampSeconds: 1_700_000_000,
  prevRandao: zeroHash,
  suggestedFeeRecipient: `0x${"00".repeat(20)}`,
  contents: null,
};

describe("getPayload", () => {
  const { input, expected } = z
    .object({
      input: z.array(
        z.object({
          supported: z.array(z.string()).optional(),
          error_code: z.number().optional(),
          calls: z.number(),
        }),
      ),
      expected: z.array(z.array(z.string())),
    })
    .parse(vector("engine_getPayload version fallback"));

  it.each(input.map((one, at) => ({ ...one, methods: expected[at] })))(
    "with $supported $error_code asks for $methods",
    async ({ supported, error_code: errorCode, calls, methods }) => {
      const { server, engine } = await connect(({ method }) => {
        if (errorCode !== undefined) return new Refusal(errorCode);
        return supported?.includes(method) ? { executionPayload: payload } : new Refusal(-38005);
      });
      for (let call = 0; call < calls; call++) {
        const built = await engine.getPayload("0x01").catch((error: unknown) => error);
        expect(built instanceof EngineError).toBe(errorCode !== undefined);
      }
      expect(server.methods).toEqual(methods);
    },
  );

  it("of no version that fits is the refusal of the expected one, with advice", async () => {
    const { engine } = await connect(() => new Refusal(-38005, "Unsupported fork"));
    await expect(engine.getPayload("0x01")).rejects.toThrow(
      /engine_getPayloadV4 with error -38005 .*it lacks a fork/,
    );
  });
});

describe("forkchoiceUpdated", () => {
  it("falls forward to Amsterdam, where the slot number is an attribute, and remembers it", async () => {
    const { server, engine } = await connect(({ method }) => {
      if (method === "engine_forkchoiceUpdatedV3") return new Refusal(-38005);
      if (method.startsWith("engine_getPayload")) {
        return { executionPayload: { ...payload, slotNumber: "0xc" } };
      }
      return method.startsWith("engine_newPayload")
        ? valid
        : { payloadStatus: valid, payloadId: "0x0c" };
    });
    const answer = await engine.startBuilding(forkchoice, attributes);
    expect(answer).toEqual({ kind: "building", payloadId: "0x0c" });
    const built = await engine.getPayload("0x0c");
    const submission = { payload: built.executionPayload, blobVersionedHashes: [] };
    await engine.newPayload({ ...submission, executionRequests: [] });
    await engine.setHead(forkchoice);
    expect(server.methods).toEqual([
      "engine_forkchoiceUpdatedV3",
      "engine_forkchoiceUpdatedV4",
      "engine_getPayloadV6",
      "engine_newPayloadV5",
      "engine_forkchoiceUpdatedV4",
    ]);
    expect(server.asked[0]?.params[1]).not.toHaveProperty("slotNumber");
    expect(server.asked[1]?.params[1]).toHaveProperty("slotNumber", "0xc");
  });

  it("gives plain clients quantities, and ev-reth numbers beside its transactions", async () => {
    const { server, engine } = await connect(() => ({ payloadStatus: valid, payloadId: "0x01" }));
    await engine.startBuilding(forkchoice, attributes);
    const contents = { transactions: ["0x02f86c"], gasLimit: 30_000_000 };
    await engine.startBuilding(forkchoice, { ...attributes, contents });
    const common = {
      prevRandao: zeroHash,
      suggestedFeeRecipient: attributes.suggestedFeeRecipient,
      withdrawals: [],
      parentBeaconBlockRoot: zeroHash,
    };
    expect(server.asked.map(({ params }) => params)).toEqual([
      [forkchoice, { timestamp: "0x6553f100", ...common }],
      [forkchoice, { timestamp: 1_700_000_000, ...common, ...contents }],
    ]);
  });

  it("without a payload's id, though one was asked for, is malformed", async () => {
    const { engine } = await connect(() => ({ payloadStatus: valid, payloadId: null }));
    await expect(engine.startBuilding(forkchoice, attributes)).rejects.toMatchObject({
      code: "ENGINE_MALFORMED",
    });
  });
});

describe("newPayload", () => {
  it("passes the payload on as it came, with fields that nobody here knows", async () => {
    const { server, engine } = await connect(() => valid);
    const requests = ["0x1234", "0x01"];
    await engine.newPayload({ payload, blobVersionedHashes: [], executionRequests: requests });
    expect(server.asked).toMatchObject([
      { method: "engine_newPayloadV4", params: [payload, [], zeroHash, requests] },
    ]);
    expect(server.asked[0]?.params).toHaveLength(4);
  });

  it.each([
    ["VALID", { kind: "valid" }],
    ["INVALID", { kind: "invalid", latestValidHash: zeroHash, reason: "bad root" }],
    ["INVALID_BLOCK_HASH", { kind: "invalid", latestValidHash: zeroHash, reason: "bad root" }],
  ])("answered with %s is a judgement", async (status, judgement) => {
    const answer = { status, latestValidHash: zeroHash, validationError: "bad root" };
    const { engine } = await connect(() => answer);
    const submission = { payload, blobVersionedHashes: [], executionRequests: [] };
    expect(await engine.newPayload(submission)).toEqual(judgement);
  });

  it.each(["SYNCING", "ACCEPTED"])("answered with %s is to be asked again", async (status) => {
    const { engine } = await connect(() => ({ status }));
    const submission = { payload, blobVersionedHashes: [], executionRequests: [] };
    await expect(engine.newPayload(submission)).rejects.toMatchObject({
      detail: { code: "ENGINE_SYNCING", status },
    });
  });

  it("answered with a status that there is not is malformed", async () => {
    const { engine } = await connect(() => ({ status: "PERHAPS" }));
    const submission = { payload, blobVersionedHashes: [], executionRequests: [] };
    await expect(engine.newPayload(submission)).rejects.toMatchObject({ code: "ENGINE_MALFORMED" });
  });
});
