/** What goes wrong here: the server cannot start (RpcError), or it refuses a request (Refusal). */

import { CodedError } from "../base/coded-error.ts";
import type { Height } from "../block/types.ts";

export class RpcError extends CodedError<
  | { readonly code: "RPC_ADDRESS_IN_USE"; readonly address: string }
  | { readonly code: "RPC_ADDRESS_UNUSABLE"; readonly address: string }
> {}

/** Why a request is refused. The facts are named as the client reads them, beside code and message. */
export type RefusalDetail =
  | { readonly code: "BAD_REQUEST" }
  | { readonly code: "INVALID_TRANSACTION" }
  | { readonly code: "UNAUTHORIZED" }
  | { readonly code: "FORBIDDEN" }
  | { readonly code: "PATH_NOT_FOUND" }
  | {
      readonly code: "BLOCK_NOT_FOUND";
      readonly earliest_height: Height | null;
      readonly latest_height: Height;
    }
  | { readonly code: "BLOCK_DAMAGED"; readonly height: Height }
  | { readonly code: "KEY_NOT_FOUND"; readonly height: Height }
  | { readonly code: "METHOD_NOT_ALLOWED"; readonly allow: readonly string[] }
  | { readonly code: "METHOD_NOT_FOUND" }
  | { readonly code: "REQUEST_TIMEOUT" }
  | { readonly code: "NOT_LEADER"; readonly leader_id: string | null }
  | { readonly code: "BODY_TOO_LARGE"; readonly max_bytes: number }
  | { readonly code: "TRANSACTION_TOO_LARGE"; readonly max_bytes: number }
  | { readonly code: "RESPONSE_TOO_LARGE"; readonly max_bytes: number }
  | { readonly code: "URI_TOO_LONG" }
  | { readonly code: "UNSUPPORTED_MEDIA_TYPE" }
  | { readonly code: "RATE_LIMITED"; readonly retry_after_ms: number }
  | { readonly code: "QUEUE_FULL"; readonly retry_after_ms: number }
  | { readonly code: "EXPECTATION_FAILED" }
  | { readonly code: "HEADERS_TOO_LARGE" }
  | { readonly code: "INTERNAL"; readonly incident: string }
  | { readonly code: "UNSUPPORTED" }
  | { readonly code: "TRANSFER_FAILED" }
  | {
      readonly code: "UNAVAILABLE";
      readonly retry_after_ms: number;
      readonly tx_id?: string;
      readonly may_commit?: boolean;
    };

export type RefusalCode = RefusalDetail["code"];

/** A request that gets an answer other than the one it asked for. Handlers throw it; the server sends it. */
export class Refusal extends CodedError<RefusalDetail> {}

export function badRequest(message: string, cause?: unknown): Refusal {
  return new Refusal({ code: "BAD_REQUEST" }, message, { cause });
}

export const httpStatusOf: Readonly<Record<RefusalCode, number>> = {
  BAD_REQUEST: 400,
  INVALID_TRANSACTION: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  PATH_NOT_FOUND: 404,
  BLOCK_NOT_FOUND: 404,
  KEY_NOT_FOUND: 404,
  METHOD_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  NOT_LEADER: 409,
  BODY_TOO_LARGE: 413,
  TRANSACTION_TOO_LARGE: 413,
  RESPONSE_TOO_LARGE: 413,
  URI_TOO_LONG: 414,
  UNSUPPORTED_MEDIA_TYPE: 415,
  EXPECTATION_FAILED: 417,
  RATE_LIMITED: 429,
  QUEUE_FULL: 429,
  HEADERS_TOO_LARGE: 431,
  INTERNAL: 500,
  BLOCK_DAMAGED: 500,
  UNSUPPORTED: 501,
  TRANSFER_FAILED: 503,
  UNAVAILABLE: 503,
};

/** `reason` as a sentence, so that another can follow it. */
export function sentence(reason: string): string {
  const trimmed = reason.trim();
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
