/**
 * What the execution client answers, as far as we read it. Of a payload that is little: the rest of it
 * goes back as it came, with fields of forks that we do not know.
 */

import { z } from "zod";
import { defined } from "../../base/assert.ts";
import { fromHex, toHex } from "../../base/bytes.ts";

/** `0x` and an even number of digits; kept as text, in the lower case that clients compare by. */
const data = z
  .string()
  .regex(/^0x([0-9a-fA-F]{2})*$/, "is no data in hexadecimal")
  .transform((text) => text.toLowerCase());

const hash = data.refine((text) => text.length === 66, "is not 32 bytes");

const quantity = z
  .string()
  .regex(/^0x(0|[1-9a-fA-F][0-9a-fA-F]{0,13})$/, "is no quantity")
  .transform(Number)
  .refine(Number.isSafeInteger, "is too large");

/** A payload, whole: what is not named here is kept. */
export const payloadSchema = z.looseObject({
  parentHash: hash,
  stateRoot: hash,
  blockHash: hash,
  blockNumber: quantity.transform(formatQuantity),
  timestamp: quantity.transform(formatQuantity),
  transactions: z.array(data),
});
export type ExecutionPayload = z.infer<typeof payloadSchema>;

/** From getPayload. The blobs themselves stay with the client that took them. */
export const builtPayloadSchema = z.object({
  executionPayload: payloadSchema,
  blobsBundle: z.object({ commitments: z.array(data) }).nullish(),
  executionRequests: z.array(data).nullish(),
});
export type BuiltPayload = z.infer<typeof builtPayloadSchema>;

export const payloadStatusSchema = z.object({
  status: z.enum(["VALID", "INVALID", "SYNCING", "ACCEPTED", "INVALID_BLOCK_HASH"]),
  latestValidHash: hash.nullish(),
  validationError: z.string().nullish(),
});
export type PayloadStatus = z.infer<typeof payloadStatusSchema>;

export const forkchoiceAnswerSchema = z.object({
  payloadStatus: payloadStatusSchema,
  payloadId: data.nullish(),
});
export type ForkchoiceAnswer = z.infer<typeof forkchoiceAnswerSchema>;

/** From eth_getBlockByNumber with hashes for transactions. */
export const clientBlockSchema = z
  .object({
    number: quantity,
    hash,
    parentHash: hash,
    stateRoot: hash,
    timestamp: quantity,
    gasLimit: quantity,
    transactions: z.array(hash),
    /** From Prague on. */
    requestsHash: hash.nullish(),
  })
  .nullable();
export type ClientBlock = NonNullable<z.infer<typeof clientBlockSchema>>;

/** Of eth_getTransactionByHash: that there is one. */
export const transactionSchema = z.object({ hash }).nullable();

export const hashSchema = hash;
export const rawTransactionsSchema = z.array(data);
export const textSchema = z.string();
/** Of rpc_modules: versions by name. */
export const modulesSchema = z.record(z.string(), z.string());
/** Of a method that has no result. */
export const nothingSchema = z.null();
export const textsSchema = z.array(z.string());

export const zeroHash = `0x${"00".repeat(32)}`;

/** Engine API quantity: `0x` and no leading zero. */
export function formatQuantity(count: number): string {
  return `0x${count.toString(16)}`;
}

export function formatData(bytes: Uint8Array): string {
  return `0x${toHex(bytes)}`;
}

/** The bytes of a text that one of the schemas here has checked. */
export function bytesOf(checked: string): Uint8Array {
  return defined(fromHex(checked), "a decoded answer holds hexadecimal");
}
