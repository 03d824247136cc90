/**
 * An execution client of the kind of ev-reth, as strict as the specification and evnode-formats section 8
 * allow: it knows no field, method, version or order of calls but those. Its "EVM" is a hash.
 */

import { createHash, createHmac } from "node:crypto";
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

type ForkchoiceState = Record<"headBlockHash" | "safeBlockHash" | "finalizedBlockHash", string>;

const gasLimit = 30_000_000;
const attributeNames = [
  "timestamp",
  "prevRandao",
  "suggestedFeeRecipient",
  "withdrawals",
  "parentBeaconBlockRoot",
  "transactions",
  "gasLimit",
];

export const jwtSecret: Uint8Array = new Uint8Array(32).fill(7);

export class FakeEvReth {
  /** What clients put into its pool; it goes on naming what is executed, as ev-reth does. */
  pool: string[] = [];
  /** It leaves these out of blocks, silently: they fail. */
  failing = new Set<string>();
  /** Every head it was moved to. */
  readonly heads: string[] = [];
  readonly engine = new ScriptedServer((asked) => this.#engineCall(asked));
  readonly eth = new ScriptedServer((asked) => this.#ethCall(asked));
  readonly #blocks = new Map<string, FakeBlock>();
  readonly #payloads = new Map<string, FakeBlock>();
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

  async start(): Promise<{ engineUrl: string; ethUrl: string }> {
    return { engineUrl: await this.engine.start(), ethUrl: await this.eth.start() };
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

  #engineCall({ method, params, headers }: Asked): unknown {
    const refusal = checkToken(headers.authorization);
    if (refusal !== null) return refusal;
    switch (method) {
      case "engine_exchangeCapabilities":
        return ["engine_forkchoiceUpdatedV3", "engine_getPayloadV4", "engine_newPayloadV4"];
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

  #ethCall({ method, params }: Asked): unknown {
    switch (method) {
      case "web3_clientVersion":
        return "ev-reth/fake";
      case "txpoolExt_getTxs":
        return this.pool;
      case "eth_getBlockByNumber":
        return this.#blockByNumber(String(params[0]));
      default:
        return new Refusal(-32601, `the method ${method} does not exist`);
    }
  }

  #forkchoiceUpdated(params: readonly unknown[]): unknown {
    const [state, attributes] = params as [ForkchoiceState, Record<string, unknown> | null];
    if (params.length !== 2) return new Refusal(-32602, "two parameters");
    const names = ["headBlockHash", "safeBlockHash", "finalizedBlockHash"];
    if (String(Object.keys(state)) !== String(names))
      return new Refusal(-32602, "forkchoice state");
    const head = this.#blocks.get(state.headBlockHash);
    if (head === undefined) return { payloadStatus: status("SYNCING"), payloadId: null };
    const areAncestors = [state.safeBlockHash, state.finalizedBlockHash].every((hash) =>
      this.#isAncestor(hash, head),
    );
    if (!areAncestors) return new Refusal(-38002, "Invalid forkchoice state");
    if (head.hash !== this.#head.hash) this.heads.push(head.hash);
    this.#head = head;
    const payloadStatus = status("VALID", head.hash);
    if (attributes === null) return { payloadStatus, payloadId: null };
    const unknown = Object.keys(attributes).find((name) => !attributeNames.includes(name));
    if (unknown !== undefined) return new Refusal(-38003, `unknown attribute ${unknown}`);
    const { timestamp, transactions, gasLimit: limit } = attributes;
    const areNumbers = typeof timestamp === "number" && typeof limit === "number";
    if (!areNumbers || !Array.isArray(transactions)) return new Refusal(-38003, "types");
    if (timestamp < head.timestamp) return new Refusal(-38003, "the time goes back");
    const runnable = transactions.map(String).filter((tx) => !this.failing.has(tx));
    const payload = this.#child(head, timestamp, runnable);
    const payloadId = payload.hash.slice(0, 18);
    this.#payloads.set(payloadId, payload);
    return { payloadStatus, payloadId };
  }

  #getPayload(params: readonly unknown[]): unknown {
    const payload = this.#payloads.get(String(params[0]));
    if (payload === undefined || params.length !== 1) return new Refusal(-38001, "Unknown payload");
    const { number, hash, timestamp, ...rest } = payload;
    const executionPayload = {
      ...rest,
      blockHash: hash,
      blockNumber: quantity(number),
      timestamp: quantity(timestamp),
      gasLimit: quantity(gasLimit),
    };
    return { executionPayload, blockValue: "0x0", executionRequests: [] };
  }

  #newPayload(params: readonly unknown[]): unknown {
    const [payload, versionedHashes, beaconRoot, requests] = params as [
      Record<"parentHash" | "timestamp" | "blockHash", string> & Pick<FakeBlock, "transactions">,
      ...unknown[],
    ];
    const isAsSpecified =
      params.length === 4 &&
      String(versionedHashes) === "" &&
      beaconRoot === zeroHash &&
      Array.isArray(requests);
    if (!isAsSpecified) return new Refusal(-32602, "invalid parameters");
    const parent = this.#blocks.get(payload.parentHash);
    if (parent === undefined) return status("SYNCING");
    const block = this.#child(parent, Number(payload.timestamp), payload.transactions);
    if (block.hash !== payload.blockHash)
      return status("INVALID", parent.hash, "blockhash mismatch");
    this.#blocks.set(block.hash, block);
    return status("VALID", block.hash);
  }

  #blockByNumber(tag: string): unknown {
    let block: FakeBlock | undefined = this.#head;
    const number = tag === "latest" ? block.number : Number(tag);
    if (number > block.number) return null;
    while (block.number > number) block = this.#known(block.parentHash);
    const { transactions, timestamp, ...rest } = block;
    return {
      ...rest,
      number: quantity(block.number),
      timestamp: quantity(timestamp),
      gasLimit: quantity(gasLimit),
      requestsHash: hashOf(),
      transactions: transactions.map(
        (tx) =>
          `0x${Buffer.from(transactionHash(Buffer.from(tx.slice(2), "hex"))).toString("hex")}`,
      ),
    };
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

function checkToken(authorization: string | undefined): Refusal | null {
  const [header = "", claims = "", mac] = authorization?.replace(/^Bearer /, "").split(".") ?? [];
  const expected = createHmac("sha256", jwtSecret).update(`${header}.${claims}`);
  const { iat } = JSON.parse(Buffer.from(claims, "base64url").toString("utf8"));
  const isFresh = Math.abs(iat - Date.now() / 1000) < 60;
  return mac === expected.digest("base64url") && isFresh ? null : new Refusal(-1, "bad token");
}

function status(name: string, latestValidHash: string | null = null, validationError?: string) {
  return { status: name, latestValidHash, validationError: validationError ?? null };
}

function quantity(count: number): string {
  return `0x${count.toString(16)}`;
}

function hashOf(...parts: readonly string[]): string {
  return `0x${createHash("sha256").update(parts.join("|")).digest("hex")}`;
}
