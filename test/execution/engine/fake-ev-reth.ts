/**
 * An execution client of the kind of ev-reth, as strict as the specification and ev-node's requests
 * allow: it knows no field, type, method, version or order of calls but those, and takes a payload back only as
 * it gave it. Its "EVM" is a hash.
 */

import { createHash, createHmac } from "node:crypto";
import type { ServerResponse } from "node:http";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { zeroHash } from "../../../src/execution/engine/answers.ts";
import { transactionHash } from "../../../src/execution/engine/payload-block.ts";
import { type Asked, Refusal, ScriptedServer } from "./scripted-server.ts";

interface FakeBlock {
  readonly number: number;
  readonly hash: string;
  readonly parentHash: string;
  readonly stateRoot: string;
  readonly timestamp: number;
  readonly transactions: readonly string[];
}

const gasLimit = 30_000_000;
const data = z.string().regex(/^0x([0-9a-f]{2})*$/);
const hash = z.string().regex(/^0x[0-9a-f]{64}$/);
const address = z.string().regex(/^0x[0-9a-f]{40}$/);
const quantity = z.string().regex(/^0x(0|[1-9a-f][0-9a-f]*)$/);

/** JSON-RPC 2.0, and nothing beside it. */
const requestSchema = z.strictObject({
  jsonrpc: z.literal("2.0"),
  id: z.int(),
  method: z.string(),
  params: z.array(z.unknown()),
});
const forkchoiceSchema = z.strictObject({
  headBlockHash: hash,
  safeBlockHash: hash,
  finalizedBlockHash: hash,
});
/** V3's, with ev-reth's two fields; of them and of the time it takes numbers only. */
const attributesSchema = z.strictObject({
  timestamp: z.int(),
  prevRandao: hash,
  suggestedFeeRecipient: address,
  withdrawals: z.array(z.never()),
  parentBeaconBlockRoot: z.literal(zeroHash),
  transactions: z.array(data.min(4)),
  gasLimit: z.literal(gasLimit),
});
/** ExecutionPayloadV3. */
const payloadSchema = z.strictObject({
  parentHash: hash,
  feeRecipient: address,
  stateRoot: hash,
  receiptsRoot: hash,
  logsBloom: data.length(514),
  prevRandao: hash,
  blockNumber: quantity,
  gasLimit: quantity,
  gasUsed: quantity,
  timestamp: quantity,
  extraData: data,
  baseFeePerGas: quantity,
  blockHash: hash,
  transactions: z.array(data),
  withdrawals: z.array(z.never()),
  blobGasUsed: quantity,
  excessBlobGas: quantity,
});
type Payload = z.infer<typeof payloadSchema>;

const ours = [
  "engine_exchangeCapabilities",
  "engine_forkchoiceUpdatedV3",
  "engine_getPayloadV4",
  "engine_newPayloadV4",
];
/** Of other forks than the chain's. */
const othersVersions = /^engine_(forkchoiceUpdatedV[124]|getPayloadV[12356]|newPayloadV[1235])$/;

export const jwtSecret: Uint8Array = new Uint8Array(32).fill(7);

export class FakeEvReth {
  /** What clients put into its pool; it goes on naming what is executed, as ev-reth does. */
  pool: string[] = [];
  /** It leaves these out of blocks, silently: they fail, though its pool cannot tell. */
  failing = new Set<string>();
  /** These can be decoded, and have no sender: its pool refuses them, and it builds nothing of a list with one of them. */
  unrecoverable = new Set<string>();
  /** Each of these has its sender's next nonce after another one's. Left out of blocks before it, silently. */
  nextAfter = new Map<string, string>();
  /** Transactions for which a block has gas. It leaves out the others, silently. */
  blockGasTxs = Number.POSITIVE_INFINITY;
  /** Every head it was moved to. */
  readonly heads: string[] = [];
  /** What its operator gave it. */
  secret = jwtSecret;
  /** How far its clock is ahead. */
  clockAheadSeconds = 0;
  readonly engine = new ScriptedServer((asked, response) => this.#engineCall(asked, response));
  readonly eth = new ScriptedServer((asked) => this.#ethCall(asked));
  #enginePort = 0;
  #hasExchanged = false;
  readonly #blocks = new Map<string, FakeBlock>();
  readonly #blockOf = new Map<string, FakeBlock>();
  readonly #payloadOf = new Map<string, Payload>();
  #head: FakeBlock;

  constructor() {
    this.#head = this.#genesis();
    this.#blocks.set(this.#head.hash, this.#head);
  }

  get headNumber(): number {
    return this.#head.number;
  }

  get headHash(): string {
    return this.#head.hash;
  }

  /** All that its blocks up to its head hold. */
  get executed(): string[] {
    return [...this.#executedAt(this.#head)];
  }

  async start(): Promise<{ engineUrl: string; ethUrl: string }> {
    const engineUrl = await this.engine.start();
    this.#enginePort = Number(new URL(engineUrl).port);
    return { engineUrl, ethUrl: await this.eth.start() };
  }

  /** Its engine port accepts again, where it did. */
  async reopenEngine(): Promise<void> {
    await this.engine.start(this.#enginePort);
  }

  async stop(): Promise<void> {
    await Promise.all([this.engine.stop(), this.eth.stop()]);
  }

  /** As if it had been killed: its newest blocks are gone. */
  rewind(number: number): void {
    while (this.#head.number > number) {
      const { hash, parentHash } = this.#head;
      this.#blocks.delete(hash);
      this.#head = this.#known(parentHash);
    }
  }

  /** As if somebody else drove it: its head is another block of the same height. */
  branch(): void {
    const { number, parentHash, timestamp } = this.#head;
    this.#head = this.#child(this.#known(parentHash), timestamp + 1, []);
    if (this.#head.number !== number) throw new Error("a branch is as high as the other one");
    this.#blocks.set(this.#head.hash, this.#head);
  }

  #engineCall(asked: Asked, response: ServerResponse): unknown {
    const { method, params, headers } = asked;
    const problem = this.#whyNoToken(headers.authorization);
    if (problem !== null) {
      response.statusCode = 401;
      return void response.end(`${problem}\n`);
    }
    if (!isRequest(asked)) return new Refusal(-32600, "Invalid request");
    if (othersVersions.test(method)) return new Refusal(-38005, "Unsupported fork");
    if (method === "engine_exchangeCapabilities") this.#hasExchanged = true;
    if (!this.#hasExchanged) return new Refusal(-32000, "capabilities come first");
    switch (method) {
      case "engine_exchangeCapabilities":
        return ours;
      case "engine_forkchoiceUpdatedV3":
        return this.#forkchoiceUpdated(params);
      case "engine_getPayloadV4":
        return this.#getPayload(params);
      case "engine_newPayloadV4":
        return this.#newPayload(params);
      default:
        return new Refusal(-32601, `the method ${method} does not exist`);
    }
  }

  #ethCall(asked: Asked): unknown {
    const { method, params } = asked;
    if (!isRequest(asked)) return new Refusal(-32600, "Invalid request");
    switch (method) {
      case "web3_clientVersion":
        return "ev-reth/fake";
      case "txpoolExt_getTxs":
        return this.#bestPooled();
      case "eth_sendRawTransaction":
        return this.#addToPool(params);
      case "eth_getTransactionByHash":
        return this.#transactionByHash(params);
      case "eth_getBlockByNumber":
        return this.#blockByNumber(params);
      default:
        return new Refusal(-32601, `the method ${method} does not exist`);
    }
  }

  #forkchoiceUpdated(params: readonly unknown[]): unknown {
    const parsed = z.tuple([forkchoiceSchema, z.unknown()]).safeParse(params);
    if (!parsed.success) return new Refusal(-32602, "Invalid params");
    const [state, given] = parsed.data;
    const head = this.#blocks.get(state.headBlockHash);
    if (head === undefined) return { payloadStatus: status("SYNCING"), payloadId: null };
    const areAncestors = [state.safeBlockHash, state.finalizedBlockHash].every((hash) =>
      this.#isAncestor(hash, head),
    );
    if (!areAncestors) return new Refusal(-38002, "Invalid forkchoice state");
    if (head.hash !== this.#head.hash) this.heads.push(head.hash);
    this.#head = head;
    const payloadStatus = status("VALID", head.hash);
    if (given === null) return { payloadStatus, payloadId: null };
    const attributes = attributesSchema.safeParse(given).data;
    const isFit =
      attributes !== undefined &&
      attributes.timestamp >= head.timestamp &&
      Number(attributes.prevRandao) === head.number + 1;
    if (!isFit) return new Refusal(-38003, "Invalid payload attributes");
    const hasSenders = attributes.transactions.every((tx) => !this.unrecoverable.has(tx));
    if (!hasSenders) return { payloadStatus, payloadId: "0x0000000000000000" };
    const runnable = this.#runnable(attributes.transactions, head);
    const block = this.#child(head, attributes.timestamp, runnable);
    const payloadId = block.hash.slice(0, 18);
    this.#blockOf.set(payloadId, block);
    this.#payloadOf.set(block.hash, payloadFrom(block, attributes));
    return { payloadStatus, payloadId };
  }

  /** In the order of nonces, and of what no block holds yet as much as one has gas for. */
  #bestPooled(): string[] {
    const executed = this.#executedAt(this.#head);
    const [named, seen]: [string[], Set<string>] = [[], new Set(executed)];
    let waiting = [...this.pool];
    for (let before = -1; before !== waiting.length; ) {
      before = waiting.length;
      waiting = waiting.filter((tx) => {
        const follows = this.nextAfter.get(tx);
        if (follows !== undefined && !seen.has(follows)) return true;
        named.push(tx);
        seen.add(tx);
        return false;
      });
    }
    let gasTxs = 0;
    return named.filter((tx) => executed.has(tx) || gasTxs++ < this.blockGasTxs);
  }

  #addToPool(params: readonly unknown[]): unknown {
    const parsed = z.tuple([data.min(4)]).safeParse(params);
    if (!parsed.success) return new Refusal(-32602, "Invalid params");
    const [tx] = parsed.data;
    if (this.unrecoverable.has(tx)) return new Refusal(-32000, "invalid transaction signature");
    if (this.pool.includes(tx)) return new Refusal(-32000, "already known");
    this.pool.push(tx);
    return transactionName(tx);
  }

  #transactionByHash([hash]: readonly unknown[]): unknown {
    const all = [...this.pool, ...this.#executedAt(this.#head)];
    return all.some((tx) => transactionName(tx) === hash) ? { hash } : null;
  }

  /** What it executes of a list, in its order. */
  #runnable(transactions: readonly string[], parent: FakeBlock): string[] {
    const executed = this.#executedAt(parent);
    const run: string[] = [];
    for (const tx of transactions) {
      const follows = this.nextAfter.get(tx);
      const isNext = follows === undefined || executed.has(follows);
      if (this.failing.has(tx) || !isNext || run.length >= this.blockGasTxs) continue;
      executed.add(tx);
      run.push(tx);
    }
    return run;
  }

  #executedAt(head: FakeBlock): Set<string> {
    const executed = new Set<string>();
    for (let block = head; block.number > 0; block = this.#known(block.parentHash)) {
      for (const tx of block.transactions) executed.add(tx);
    }
    return executed;
  }

  #getPayload(params: readonly unknown[]): unknown {
    const block = this.#blockOf.get(String(params[0]));
    const executionPayload = this.#payloadOf.get(block?.hash ?? "");
    if (executionPayload === undefined || params.length !== 1)
      return new Refusal(-38001, "Unknown payload");
    const blobsBundle = { commitments: [], proofs: [], blobs: [] };
    const rest = { blobsBundle, executionRequests: [], shouldOverrideBuilder: false };
    return { executionPayload, blockValue: "0x0", ...rest };
  }

  #newPayload(params: readonly unknown[]): unknown {
    const none = z.array(z.never());
    const parsed = z.tuple([payloadSchema, none, z.literal(zeroHash), none]).safeParse(params);
    if (!parsed.success) return new Refusal(-32602, "Invalid params");
    const [payload] = parsed.data;
    const given = this.#payloadOf.get(payload.blockHash);
    if (!isDeepStrictEqual(payload, given)) return status("INVALID", null, "blockhash mismatch");
    const parent = this.#blocks.get(payload.parentHash);
    if (parent === undefined) return status("SYNCING");
    const block = this.#child(parent, Number(payload.timestamp), payload.transactions);
    if (block.hash !== payload.blockHash)
      return status("INVALID", parent.hash, "blockhash mismatch");
    this.#blocks.set(block.hash, block);
    return status("VALID", block.hash);
  }

  #blockByNumber(params: readonly unknown[]): unknown {
    const tags = z.union([z.literal("latest"), quantity]);
    const parsed = z.tuple([tags, z.literal(false)]).safeParse(params);
    if (!parsed.success) return new Refusal(-32602, "Invalid params");
    const [tag] = parsed.data;
    let block: FakeBlock | undefined = this.#head;
    const number = tag === "latest" ? block.number : Number(tag);
    if (number > block.number) return null;
    while (block.number > number) block = this.#known(block.parentHash);
    const { transactions, timestamp, ...rest } = block;
    return {
      ...rest,
      number: hex(block.number),
      timestamp: hex(timestamp),
      gasLimit: hex(gasLimit),
      requestsHash: hashOf(),
      transactions: transactions.map(transactionName),
    };
  }

  /** null if it is good, as geth puts it otherwise. */
  #whyNoToken(authorization: string | undefined): string | null {
    const token = /^Bearer ([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(authorization ?? "");
    if (token === null) return "missing token";
    const [, header = "", claims = "", mac] = token;
    const expected = createHmac("sha256", this.secret).update(`${header}.${claims}`);
    if (mac !== expected.digest("base64url")) return "signature is invalid";
    const decode = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    if (!isDeepStrictEqual(decode(header), { alg: "HS256", typ: "JWT" })) return "bad header";
    const { iat, exp } = decode(claims);
    if (exp !== iat + 3_600) return "bad claims";
    const now = Date.now() / 1000 + this.clockAheadSeconds;
    return Math.abs(iat - now) < 60 ? null : "stale token";
  }

  #isAncestor(hash: string, of: FakeBlock): boolean {
    for (let block: FakeBlock | undefined = of; block; block = this.#blocks.get(block.parentHash)) {
      if (block.hash === hash) return true;
    }
    return false;
  }

  #child(parent: FakeBlock, timestamp: number, transactions: readonly string[]): FakeBlock {
    const number = parent.number + 1;
    const stateRoot = hashOf(parent.stateRoot, ...transactions);
    const hash = hashOf(parent.hash, String(timestamp), stateRoot);
    return { number, hash, parentHash: parent.hash, stateRoot, timestamp, transactions };
  }

  #genesis(): FakeBlock {
    const [hash, stateRoot] = [hashOf("genesis"), hashOf("state")];
    return { number: 0, hash, parentHash: zeroHash, stateRoot, timestamp: 0, transactions: [] };
  }

  #known(hash: string): FakeBlock {
    const block = this.#blocks.get(hash);
    if (block === undefined) throw new Error(`no block ${hash}`);
    return block;
  }
}

/** Of its method and parameters the methods themselves judge. */
function isRequest({ body, headers }: Asked): boolean {
  const isJson = headers["content-type"] === "application/json";
  return isJson && requestSchema.safeParse(JSON.parse(body)).success;
}

function payloadFrom(block: FakeBlock, attributes: z.infer<typeof attributesSchema>): Payload {
  const { number, hash: blockHash, parentHash, stateRoot, timestamp, transactions } = block;
  return {
    parentHash,
    feeRecipient: attributes.suggestedFeeRecipient,
    stateRoot,
    receiptsRoot: hashOf("receipts", ...transactions),
    logsBloom: `0x${"00".repeat(256)}`,
    prevRandao: attributes.prevRandao,
    blockNumber: hex(number),
    gasLimit: hex(gasLimit),
    gasUsed: hex(21_000 * transactions.length),
    timestamp: hex(timestamp),
    extraData: "0x",
    baseFeePerGas: "0x7",
    blockHash,
    transactions: [...transactions],
    withdrawals: [],
    blobGasUsed: "0x0",
    excessBlobGas: "0x0",
  };
}

function status(name: string, latestValidHash: string | null = null, validationError?: string) {
  return { status: name, latestValidHash, validationError: validationError ?? null };
}

function transactionName(tx: string): string {
  return `0x${Buffer.from(transactionHash(Buffer.from(tx.slice(2), "hex"))).toString("hex")}`;
}

function hex(count: number): string {
  return `0x${count.toString(16)}`;
}

function hashOf(...parts: readonly string[]): string {
  return `0x${createHash("sha256").update(parts.join("|")).digest("hex")}`;
}
