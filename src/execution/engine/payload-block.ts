/**
 * A payload as a block's data, and back. Where the execution client builds, the block's first
 * transaction is no transaction but everything else that newPayload needs:
 *
 *   txs[0]    0x80, JSON { payload without its transactions, blobVersionedHashes, executionRequests }
 *   txs[1..]  the payload's transactions, as they are
 *
 * So they stay visible as transactions, with their hashes as identities, and the data hash of the
 * header covers all that is executed. Nothing else begins with 0x80: a typed transaction begins with
 * 0x00-0x7f, a legacy one with 0xc0-0xfe (EIP-2718).
 */

import { createHash } from "node:crypto";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { z } from "zod";
import { defined } from "../../base/assert.ts";
import { concatBytes, emptyBytes } from "../../base/bytes.ts";
import { blockDataMaxBytes, transactionsPerBlockMax } from "../../block/limits.ts";
import type { IdentifiedTx } from "../executor.ts";
import {
  type BuiltPayload,
  bytesOf,
  formatData,
  hashSchema,
  payloadSchema,
  rawTransactionsSchema,
} from "./answers.ts";
import type { Submission } from "./engine-api.ts";
import { blockTooLarge } from "./errors.ts";

const marker = 0x80;
/** EIP-4844. */
const blobType = 3;
/** RLP: what a list begins with. */
const listFrom = 0xc0;
/** EIP-4844: what a versioned hash begins with. */
const kzgVersion = Uint8Array.of(1);

const frameSchema = z.strictObject({
  payload: payloadSchema.omit({ transactions: true }),
  blobVersionedHashes: z.array(hashSchema),
  executionRequests: rawTransactionsSchema,
});

/** Of an Ethereum transaction; a blob transaction in the form without its blobs. */
export function transactionHash(tx: Uint8Array): Uint8Array {
  return keccak_256(tx);
}

/** Null if the bytes may be a transaction that a block can hold. */
export function whyNoTransaction(tx: Uint8Array): string | null {
  const [type] = tx;
  if (type === undefined) return "the transaction is empty";
  if (type === blobType) return "a blob transaction: no node of this chain keeps blobs";
  // EIP-2718: a typed transaction, or a legacy one, which is an RLP list.
  if (type < marker || type >= listFrom) return null;
  return `no Ethereum transaction begins with 0x${type.toString(16)}`;
}

/** Whether the block's data is a payload that a client built, and no list of transactions to build from. */
export function holdsPayload(txs: readonly Uint8Array[]): boolean {
  return txs[0]?.[0] === marker;
}

/** The data of the block that `built` is. Its own identity is the hash of the client's block. Throws an EngineError if it is too large. */
export function encodePayload(built: BuiltPayload): IdentifiedTx[] {
  const { transactions, ...payload } = built.executionPayload;
  const frame: z.input<typeof frameSchema> = {
    payload,
    blobVersionedHashes: (built.blobsBundle?.commitments ?? []).map(versionedHash),
    executionRequests: [...(built.executionRequests ?? [])],
  };
  const json = new TextEncoder().encode(JSON.stringify(frame));
  const first = {
    tx: concatBytes([Uint8Array.of(marker), json]),
    id: bytesOf(built.executionPayload.blockHash),
  };
  const raw = transactions.map(bytesOf);
  const sizeBytes = raw.reduce((sum, tx) => sum + tx.length, first.tx.length);
  // Before the hashes, which take a second and more where there are too many.
  if (sizeBytes > blockDataMaxBytes || raw.length + 1 > transactionsPerBlockMax) {
    const limits = { maxBytes: blockDataMaxBytes, maxTransactions: transactionsPerBlockMax };
    throw blockTooLarge(sizeBytes, raw.length, limits);
  }
  return [first, ...raw.map((tx) => ({ tx, id: transactionHash(tx) }))];
}

export type DecodedPayload =
  | { readonly kind: "payload"; readonly submission: Submission }
  | { readonly kind: "malformed"; readonly reason: string };

/** What goes to newPayload. */
export function decodePayload(txs: readonly Uint8Array[]): DecodedPayload {
  const [first = emptyBytes, ...transactions] = txs;
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(first.subarray(1)));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) {
      return { kind: "malformed", reason: "its payload is no JSON" };
    }
    throw error;
  }
  const frame = frameSchema.safeParse(json);
  if (!frame.success) {
    const issue = defined(frame.error.issues[0], "a refusal has a reason");
    return { kind: "malformed", reason: `its ${issue.path.join(".")} ${issue.message}` };
  }
  const { payload, blobVersionedHashes, executionRequests } = frame.data;
  const whole = { ...payload, transactions: transactions.map(formatData) };
  const submission = { payload: whole, blobVersionedHashes, executionRequests };
  return { kind: "payload", submission };
}

function versionedHash(commitment: string): string {
  const digest = createHash("sha256").update(bytesOf(commitment)).digest();
  return formatData(concatBytes([kzgVersion, digest.subarray(1)]));
}
