/** What peers exchange about blocks: go-header's request and response, and what a response carries (5.5). */

import { create, toBinary } from "@bufbuild/protobuf";
import { unreachable } from "../base/assert.ts";
import { dataFrom, signedHeaderFrom } from "./codec.ts";
import { badField } from "./errors.ts";
import { DataSchema } from "./gen/evnode/v1/block_pb.ts";
import {
  HeaderRequestSchema,
  HeaderResponseSchema,
  P2PDataSchema,
  P2PSignedHeaderSchema,
} from "./gen/evnode/v1/p2p_pb.ts";
import {
  dataMaxBytes,
  exchangeMessageMaxBytes,
  hashMaxBytes,
  signedHeaderMaxBytes,
  transactionsPerBlockMax,
} from "./limits.ts";
import { headerMessage, metadataMessage, signerMessage } from "./messages.ts";
import type { Data, Height, SignedHeader } from "./types.ts";
import { fromCount, limitElements, parse, short, toCount } from "./wire.ts";

/** Something that may already be on the data availability layer. */
export interface Hinted {
  /** Its height there; 0 if it is not. Advisory. */
  readonly daHeightHint: number;
}

export interface P2PSignedHeader extends Hinted {
  readonly signed: SignedHeader;
}

export interface P2PData extends Hinted {
  readonly data: Data;
}

export type HeaderRequest =
  /** `amount` items from `origin` on; origin 0 asks for the head. */
  | { readonly kind: "range"; readonly origin: Height; readonly amount: number }
  | { readonly kind: "hash"; readonly hash: Uint8Array; readonly amount: number };

export type HeaderResponse =
  | { readonly kind: "ok"; readonly body: Uint8Array }
  | { readonly kind: "notFound" }
  /** Any other status. */
  | { readonly kind: "invalid"; readonly statusCode: number };

const statusOk = 1;
const statusNotFound = 2;

export function encodeP2PSignedHeader({ signed, daHeightHint }: P2PSignedHeader): Uint8Array {
  const message = create(P2PSignedHeaderSchema, {
    header: headerMessage(signed.header),
    signature: signed.signature,
    signer: signerMessage(signed.signer),
    // Set even if 0, and so written: ev-node does.
    daHeightHint: fromCount(daHeightHint, "da_height_hint"),
  });
  return toBinary(P2PSignedHeaderSchema, message);
}

/** Takes the bytes of a SignedHeader, too, which lacks only the hint. */
export function decodeP2PSignedHeader(bytes: Uint8Array): P2PSignedHeader {
  const what = "signed header";
  const maxBytes = signedHeaderMaxBytes;
  const message = parse(P2PSignedHeaderSchema, bytes, { what, maxBytes, readUnknownFields: true });
  const field = "da_height_hint";
  return {
    signed: signedHeaderFrom(message),
    daHeightHint: toCount(message.daHeightHint ?? 0n, { what, field }),
  };
}

export function encodeP2PData({ data, daHeightHint }: P2PData): Uint8Array {
  const message = create(P2PDataSchema, {
    ...(data.metadata === null ? {} : { metadata: metadataMessage(data.metadata) }),
    txs: [...data.txs],
    daHeightHint: fromCount(daHeightHint, "da_height_hint"),
  });
  return toBinary(P2PDataSchema, message);
}

/** Takes the bytes of a Data, too, which lacks only the hint. */
export function decodeP2PData(bytes: Uint8Array): P2PData {
  const what = "block's data";
  const limit = transactionsPerBlockMax;
  limitElements(bytes, DataSchema.field.txs.number, { what, field: "txs", limit });
  const message = parse(P2PDataSchema, bytes, { what, maxBytes: dataMaxBytes });
  const field = "da_height_hint";
  return {
    data: dataFrom(message),
    daHeightHint: toCount(message.daHeightHint ?? 0n, { what, field }),
  };
}

export function encodeHeaderRequest(request: HeaderRequest): Uint8Array {
  const data =
    request.kind === "hash"
      ? ({ case: "hash", value: request.hash } as const)
      : ({ case: "origin", value: fromCount(request.origin, "origin") } as const);
  const amount = fromCount(request.amount, "amount");
  return toBinary(HeaderRequestSchema, create(HeaderRequestSchema, { data, amount }));
}

/** Throws BlockError for one that names neither a height nor a hash, among others. */
export function decodeHeaderRequest(bytes: Uint8Array): HeaderRequest {
  const what = "header request";
  const maxBytes = 2 * hashMaxBytes;
  const { data, amount } = parse(HeaderRequestSchema, bytes, { what, maxBytes });
  const count = toCount(amount, { what, field: "amount" });
  switch (data.case) {
    case "origin":
      return {
        kind: "range",
        origin: toCount(data.value, { what, field: "origin" }),
        amount: count,
      };
    case "hash":
      return { kind: "hash", hash: short(data.value, { what, field: "hash" }), amount: count };
    default:
      throw badField(what, "origin or hash", "is missing");
  }
}

export function encodeHeaderResponse(response: HeaderResponse): Uint8Array {
  const message = create(HeaderResponseSchema, {
    body: response.kind === "ok" ? response.body : new Uint8Array(0),
    statusCode: statusOf(response),
  });
  return toBinary(HeaderResponseSchema, message);
}

export function decodeHeaderResponse(bytes: Uint8Array): HeaderResponse {
  const what = "header response";
  const maxBytes = exchangeMessageMaxBytes;
  const { body, statusCode } = parse(HeaderResponseSchema, bytes, { what, maxBytes });
  if (statusCode === statusOk) return { kind: "ok", body };
  return statusCode === statusNotFound ? { kind: "notFound" } : { kind: "invalid", statusCode };
}

function statusOf(response: HeaderResponse): number {
  switch (response.kind) {
    case "ok":
      return statusOk;
    case "notFound":
      return statusNotFound;
    case "invalid":
      return response.statusCode;
    default:
      return unreachable(response);
  }
}
