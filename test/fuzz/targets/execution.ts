/** What an execution client answers, payloads in blocks, transactions of the embedded store. */

import { equalBytes } from "../../../src/base/bytes.ts";
import {
  builtPayloadSchema,
  bytesOf,
  clientBlockSchema,
  forkchoiceAnswerSchema,
  hashSchema,
  payloadStatusSchema,
  rawTransactionsSchema,
  textSchema,
  textsSchema,
  transactionSchema,
} from "../../../src/execution/engine/answers.ts";
import { EngineError } from "../../../src/execution/engine/errors.ts";
import { decodeAnswer } from "../../../src/execution/engine/json-rpc.ts";
import {
  decodePayload,
  encodePayload,
  holdsPayload,
  transactionHash,
  whyNoTransaction,
} from "../../../src/execution/engine/payload-block.ts";
import { isAnswer } from "../../../src/execution/engine/wallet-calls.ts";
import { formatKvTransaction, parseKvTransaction } from "../../../src/execution/kv-transaction.ts";
import { json, text } from "../shapes.ts";
import { Defect, expectThat, type Outcome, type Target, textOf, utf8 } from "../target.ts";

const hash = (digit: string) => `0x${digit.repeat(64)}`;
const payload = {
  parentHash: hash("a"),
  stateRoot: hash("b"),
  blockHash: hash("c"),
  blockNumber: "0x7",
  timestamp: "0x6553f107",
  transactions: ["0x02f8aa", "0x03f8bb"],
  extraData: "0x",
  withdrawals: [],
};
const built = {
  executionPayload: payload,
  blockValue: "0x0",
  blobsBundle: { commitments: [`0x${"c0".repeat(48)}`], proofs: [], blobs: [] },
  executionRequests: ["0x00ff"],
};
const payloadStatus = { status: "INVALID", latestValidHash: hash("d"), validationError: "why" };
const clientBlock = {
  number: "0x7",
  hash: hash("a"),
  parentHash: hash("b"),
  stateRoot: hash("c"),
  timestamp: "0x6553f107",
  gasLimit: "0x1c9c380",
  transactions: [hash("d")],
  requestsHash: null,
};

const results: readonly {
  readonly schema: Parameters<typeof decodeAnswer>[1]["result"];
  readonly example: unknown;
}[] = [
  { schema: builtPayloadSchema, example: built },
  { schema: payloadStatusSchema, example: payloadStatus },
  { schema: forkchoiceAnswerSchema, example: { payloadStatus, payloadId: "0x0102" } },
  { schema: clientBlockSchema, example: clientBlock },
  { schema: transactionSchema, example: { hash: hash("a"), nonce: "0x1" } },
  { schema: hashSchema, example: hash("a") },
  { schema: rawTransactionsSchema, example: ["0x02f8aa", "0x"] },
  { schema: textSchema, example: "Geth/v1.16" },
  { schema: textsSchema, example: ["engine_newPayloadV4"] },
];

/** The first letter says what was asked. */
function checkAnswer(input: Uint8Array): Outcome {
  const asked = results[(input[0] ?? 0) % results.length];
  if (asked === undefined) throw new Error("something was asked");
  const call = { url: "http://x", method: "m", id: 1, result: asked.schema };
  try {
    const answer = decodeAnswer({ status: 200, body: input.subarray(1) }, call);
    if (asked.schema === builtPayloadSchema) checkBuilt(builtPayloadSchema.parse(answer));
    return "taken";
  } catch (error) {
    if (error instanceof EngineError) return "refused";
    throw error;
  }
}

/** What a client built becomes a block, and is read back from it. */
function checkBuilt(answer: ReturnType<typeof builtPayloadSchema.parse>): void {
  const txs = encodePayload(answer).map(({ tx }) => tx);
  const decoded = decodePayload(txs);
  expectThat(decoded.kind === "payload", "is no payload once it is in a block");
}

function checkPayload(input: Uint8Array): Outcome {
  const decoded = decodePayload([input, Uint8Array.of(2, 1)]);
  holdsPayload([input]);
  if (decoded.kind === "malformed") {
    expectThat(decoded.reason.trim() !== "", "does not say what is wrong");
    return "refused";
  }
  const { submission } = decoded;
  for (const one of submission.executionRequests) bytesOf(one);
  bytesOf(submission.payload.blockHash);
  JSON.stringify(submission);
  return "taken";
}

function seedOf(at: number, result: unknown): Uint8Array {
  return utf8(`${String.fromCharCode(at)}${JSON.stringify({ jsonrpc: "2.0", id: 1, result })}`);
}

const frame = encodePayload(builtPayloadSchema.parse(built))[0]?.tx ?? new Uint8Array();

export const executionTargets: readonly Target[] = [
  {
    name: "engine-answer",
    shape: json,
    seeds: results.map(({ example }, at) => seedOf(at, example)),
    words: ['"error":{"code":-38005,"message":"x"},', "0x0", "null", '"INVALID_BLOCK_HASH"'].map(
      utf8,
    ),
    check: checkAnswer,
  },
  { name: "engine-payload", shape: json, seeds: [frame], check: checkPayload },
  {
    name: "wallet-answer",
    shape: json,
    seeds: [
      utf8('{"jsonrpc":"2.0","id":1,"result":null}'),
      utf8('{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"x"}}'),
    ],
    check: (input) => (isAnswer(textOf(input)) ? "taken" : "refused"),
  },
  {
    name: "ethereum-transaction",
    shape: text,
    seeds: [Uint8Array.of(2, 0xf8, 1), Uint8Array.of(0xf8, 1)],
    check: (input) => {
      transactionHash(input);
      return whyNoTransaction(input) === null ? "taken" : "refused";
    },
  },
  {
    name: "kv-transaction",
    shape: text,
    seeds: ["k=v", "k=", "a=b=c"].map(utf8),
    check: (input) => {
      const parsed = parseKvTransaction(input);
      if (parsed.kind === "malformed") return "refused";
      const again = formatKvTransaction(parsed.key, parsed.value);
      if (again === null || !equalBytes(again, input)) throw new Defect("is written otherwise");
      return "taken";
    },
  },
];
