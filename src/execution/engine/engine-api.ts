/**
 * The Engine API's methods, each in the version that fits the fork. A client refuses a version that is
 * not of the block's fork (-38005): then the next one is asked, and the one that fits is remembered.
 *
 *   fork        forkchoiceUpdated  getPayload  newPayload
 *   Prague             V3              V4          V4
 *   Osaka              V3              V5          V4
 *   Amsterdam          V4              V6          V5, with slotNumber in the attributes
 */

import type { z } from "zod";
import {
  type BuiltPayload,
  builtPayloadSchema,
  type ExecutionPayload,
  type ForkchoiceAnswer,
  forkchoiceAnswerSchema,
  formatQuantity,
  type PayloadStatus,
  payloadStatusSchema,
  textsSchema,
  zeroHash,
} from "./answers.ts";
import { isRefusal, malformed, methodNotFound, syncing, unsupportedFork } from "./errors.ts";
import type { JsonRpcClient } from "./json-rpc.ts";

export interface Forkchoice {
  readonly headBlockHash: string;
  readonly safeBlockHash: string;
  readonly finalizedBlockHash: string;
}

export interface PayloadAttributes {
  readonly height: number;
  readonly timestampSeconds: number;
  readonly prevRandao: string;
  readonly suggestedFeeRecipient: string;
  /** ev-reth's: what the block holds, and its gas limit; null where the client chooses. */
  readonly contents: {
    readonly transactions: readonly string[];
    readonly gasLimit: number;
  } | null;
}

/** A payload with all that newPayload wants beside it. */
export interface Submission {
  readonly payload: ExecutionPayload;
  readonly blobVersionedHashes: readonly string[];
  readonly executionRequests: readonly string[];
}

/** The client's answer about a block that it did judge. */
export type Judgement =
  | { readonly kind: "valid" }
  | {
      readonly kind: "invalid";
      readonly latestValidHash: string | null;
      /** The client's own words. */
      readonly reason: string;
    };

export type BuildAnswer =
  | Exclude<Judgement, { readonly kind: "valid" }>
  | { readonly kind: "building"; readonly payloadId: string };

/** The specification's times for each method. */
const executionTimeoutMs = 8_000;
/** 1 s there; a client that is short of time for a large block still delivers it. */
const getPayloadTimeoutMs = 3_000;
const capabilitiesTimeoutMs = 3_000;

/** What we may call, for the client's log; it answers with what it has. */
const capabilities = [
  "engine_forkchoiceUpdatedV3",
  "engine_forkchoiceUpdatedV4",
  "engine_getPayloadV4",
  "engine_getPayloadV5",
  "engine_getPayloadV6",
  "engine_newPayloadV4",
  "engine_newPayloadV5",
];

export class EngineApi {
  readonly #rpc: JsonRpcClient;
  #forkchoiceVersion = 3;
  #getPayloadVersion = 4;

  constructor(rpc: JsonRpcClient) {
    this.#rpc = rpc;
  }

  get url(): string {
    return this.#rpc.url;
  }

  /** The client's own methods. The first authenticated call: it shows whether the secret is right. */
  async exchangeCapabilities(): Promise<readonly string[]> {
    return await this.#rpc.call({
      method: "engine_exchangeCapabilities",
      params: [capabilities],
      timeoutMs: capabilitiesTimeoutMs,
      result: textsSchema,
    });
  }

  /** Moves the client's head. Throws EngineError unless the client knows the block and judged it. */
  async setHead(forkchoice: Forkchoice): Promise<Judgement> {
    const { payloadStatus } = await this.#forkchoiceUpdated(forkchoice, null);
    return judgementOf("engine_forkchoiceUpdated", payloadStatus);
  }

  /** Has the client build on the head, where it stays. The payload's id. */
  async startBuilding(forkchoice: Forkchoice, attributes: PayloadAttributes): Promise<BuildAnswer> {
    const method = "engine_forkchoiceUpdated";
    const { payloadStatus, payloadId } = await this.#forkchoiceUpdated(forkchoice, attributes);
    const judgement = judgementOf(method, payloadStatus);
    if (judgement.kind === "invalid") return judgement;
    if (payloadId === null || payloadId === undefined) {
      throw malformed(this.url, method, "it has no payloadId, though attributes were given");
    }
    return { kind: "building", payloadId };
  }

  async getPayload(payloadId: string): Promise<BuiltPayload> {
    const from = this.#getPayloadVersion;
    const versions = [from, ...[4, 5, 6].filter((version) => version !== from)];
    const { version, answer } = await this.#inVersion(versions, {
      method: "engine_getPayload",
      paramsOf: () => [payloadId],
      timeoutMs: getPayloadTimeoutMs,
      result: builtPayloadSchema,
    });
    this.#getPayloadVersion = version;
    return answer;
  }

  async newPayload(submission: Submission): Promise<Judgement> {
    const { payload, blobVersionedHashes, executionRequests } = submission;
    const isAmsterdam = "slotNumber" in payload || "blockAccessList" in payload;
    const method = `engine_newPayloadV${isAmsterdam ? 5 : 4}`;
    const status = await this.#rpc.call({
      method,
      params: [payload, blobVersionedHashes, zeroHash, executionRequests],
      timeoutMs: executionTimeoutMs,
      result: payloadStatusSchema,
    });
    return judgementOf(method, status);
  }

  async #forkchoiceUpdated(
    forkchoice: Forkchoice,
    attributes: PayloadAttributes | null,
  ): Promise<ForkchoiceAnswer> {
    const from = this.#forkchoiceVersion;
    const { version, answer } = await this.#inVersion([from, 7 - from], {
      method: "engine_forkchoiceUpdated",
      paramsOf: (asked) => [forkchoice, attributes && attributesFor(asked, attributes)],
      timeoutMs: executionTimeoutMs,
      result: forkchoiceAnswerSchema,
    });
    if (version === 4 && version !== from) this.#getPayloadVersion = 6;
    this.#forkchoiceVersion = version;
    return answer;
  }

  /** The first version that the client takes for this fork, and its answer. */
  async #inVersion<T>(
    versions: readonly number[],
    call: {
      readonly method: string;
      readonly paramsOf: (version: number) => readonly unknown[];
      readonly timeoutMs: number;
      readonly result: z.ZodType<T>;
    },
  ): Promise<{ readonly version: number; readonly answer: T }> {
    const { timeoutMs, result } = call;
    // If none fits, the refusal of the version that we have reason to expect says the most.
    let firstRefusal: unknown = null;
    for (const version of versions) {
      try {
        const params = call.paramsOf(version);
        const method = `${call.method}V${version}`;
        return { version, answer: await this.#rpc.call({ method, params, timeoutMs, result }) };
      } catch (error) {
        if (!isOtherFork(error)) throw error;
        firstRefusal ??= error;
      }
    }
    throw firstRefusal;
  }
}

/** The client has the fork in another version, or is too old to know this one. */
function isOtherFork(error: unknown): boolean {
  return isRefusal(error, unsupportedFork) || isRefusal(error, methodNotFound);
}

function judgementOf(method: string, answer: PayloadStatus): Judgement {
  const { status, latestValidHash, validationError } = answer;
  switch (status) {
    case "VALID":
      return { kind: "valid" };
    case "SYNCING":
    case "ACCEPTED":
      throw syncing(method, status);
    case "INVALID":
    case "INVALID_BLOCK_HASH": {
      const reason = validationError ?? status;
      return { kind: "invalid", latestValidHash: latestValidHash ?? null, reason };
    }
  }
}

/** Field names, order and forms are ev-node's; those of plain clients are the specification's. */
function attributesFor(version: number, attributes: PayloadAttributes): object {
  const { height, timestampSeconds, contents } = attributes;
  return {
    // ev-reth, unlike the specification, takes numbers here, and for the gas limit nothing else.
    timestamp: contents === null ? formatQuantity(timestampSeconds) : timestampSeconds,
    prevRandao: attributes.prevRandao,
    suggestedFeeRecipient: attributes.suggestedFeeRecipient,
    withdrawals: [],
    parentBeaconBlockRoot: zeroHash,
    ...contents,
    ...(version >= 4 ? { slotNumber: formatQuantity(height) } : {}),
  };
}
