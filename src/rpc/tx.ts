/** `POST /tx`: a transaction as raw bytes, or as JSON for the embedded key-value store. */

import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { type Answer, type ClientSignal, json, type Route } from "./answer.ts";
import { bodyBytes, decode, decodeJson } from "./decode.ts";
import { hex } from "./encoding.ts";
import { badRequest } from "./errors.ts";
import type { Submit, Submitted } from "./submission.ts";

const querySchema = z.strictObject({
  wait: z.enum(["commit", "accept"], { error: "must be `commit` or `accept`" }).default("commit"),
});

const wellFormed = z
  .string({ error: "must be a string" })
  .refine((text) => text.isWellFormed(), { error: "has half a surrogate pair, which is no text" });

const kvPutSchema = z.strictObject({
  type: z.literal("kv:put", { error: 'must be "kv:put"' }),
  key: wellFormed
    .refine((key) => key !== "", { error: "must not be empty" })
    .refine((key) => !key.includes("="), { error: "must not contain `=`, which ends the key" }),
  value: wellFormed,
});

export const idempotencyKeySchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, { error: "must be 1 to 255 visible ASCII characters" });

const headersSchema = z.object({ "idempotency-key": idempotencyKeySchema.optional() });

export function txRoutes(submit: Submit, clientSignal: ClientSignal): readonly Route[] {
  return [
    {
      method: "POST",
      path: "/tx",
      summary:
        'Submits a transaction: raw bytes, or JSON {"type":"kv:put","key","value"}. ' +
        "?wait=commit (default) or accept; header Idempotency-Key",
      handle: async (request) => {
        const { wait } = decode(querySchema, request.query, "query");
        const { "idempotency-key": idempotencyKey = null } = decode(
          headersSchema,
          request.headers,
          "headers",
        );
        const tx = transactionOf(request);
        return answerOf(await submit({ tx, idempotencyKey, wait, signal: clientSignal(request) }));
      },
    },
  ];
}

function transactionOf(request: FastifyRequest): Uint8Array {
  const body = bodyBytes(request.body);
  if (isJson(request.headers["content-type"])) {
    const { key, value } = decode(kvPutSchema, decodeJson(body), "body");
    return new TextEncoder().encode(`${key}=${value}`);
  }
  if (body.length === 0) {
    throw badRequest(
      'The body is empty. Send the bytes of the transaction, or JSON {"type":"kv:put","key":"k","value":"v"}.',
    );
  }
  // A copy in a buffer of its own: small bodies share Node's pool, which must never be transferred.
  return Uint8Array.from(body);
}

function isJson(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/json\s*(;|$)/i.test(contentType);
}

function answerOf(submitted: Submitted): Answer {
  const tx_id = hex(submitted.txId);
  if (submitted.kind === "accepted") return json({ tx_id }, 202);
  const { height, index } = submitted.location;
  return json({ height, index, tx_id });
}
