/** From anything thrown to what the client may know of it. Internal errors go to the log, never out. */

import { randomBytes } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { InvariantError } from "../base/assert.ts";
import { describeError } from "../base/coded-error.ts";
import { BlockError } from "../block/errors.ts";
import { badRequest, Refusal } from "./errors.ts";
import type { RpcLogger } from "./options.ts";

interface FailureOptions {
  readonly bodyMaxBytes: number;
  readonly log: RpcLogger;
  readonly onFailure: (error: unknown) => void;
}

export type RefusalOf = (error: unknown, request: FastifyRequest) => Refusal;

export function createRefusalOf(options: FailureOptions): RefusalOf {
  return (error, request) =>
    error instanceof Refusal
      ? error
      : (frameworkRefusal(error, options.bodyMaxBytes) ?? internalRefusal(error, request, options));
}

/** What fastify found wrong before a handler was asked; null if it is none of those. */
function frameworkRefusal(error: unknown, bodyMaxBytes: number): Refusal | null {
  switch (codeOf(error)) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new Refusal(
        { code: "BODY_TOO_LARGE", max_bytes: bodyMaxBytes },
        `The body is larger than ${bodyMaxBytes} bytes. Send less at a time.`,
      );
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new Refusal(
        { code: "UNSUPPORTED_MEDIA_TYPE" },
        "The Content-Type header is malformed. Leave it out, or send application/json for JSON.",
      );
    case "FST_ERR_BAD_URL":
      return badRequest(
        "The path has a percent sign that begins no UTF-8 character. Encode it as %25.",
      );
    case "FST_ERR_MAX_PARAM_LENGTH":
      return new Refusal({ code: "URI_TOO_LONG" }, "A part of the path is too long.");
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return badRequest("The body has not the length that Content-Length announced.");
    default:
      return null;
  }
}

function internalRefusal(
  error: unknown,
  request: FastifyRequest,
  { log, onFailure }: FailureOptions,
): Refusal {
  if (error instanceof BlockError && error.detail.code === "BLOCK_DAMAGED") {
    return new Refusal(error.detail, error.message);
  }
  const incident = randomBytes(4).toString("hex");
  const facts = { incident, method: request.method, path: request.routeOptions.url };
  if (error instanceof InvariantError) {
    log.error({ ...facts, error: describeError(error) }, "request broke an invariant");
    onFailure(error);
  } else if (request.socket.destroyed) {
    // The client went away, and with it the work: there is nobody to tell.
    log.debug({ ...facts, error: describeError(error) }, "request abandoned by its client");
  } else {
    log.error({ ...facts, error: describeError(error) }, "request failed");
  }
  return new Refusal(
    { code: "INTERNAL", incident },
    `The node could not answer. Its log says why: look for incident=${incident}.`,
  );
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
