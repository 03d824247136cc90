/** What a handler answers, and how it goes out. Bodies are serialised here, once; fastify adds nothing. */

import type { FastifyReply, FastifyRequest } from "fastify";
import { httpStatusOf, type Refusal } from "./errors.ts";

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** It tells of an effect: instead of it nothing else may be said, however busy the server is. */
  readonly mustGoOut?: boolean;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** In fastify's syntax. */
  readonly path: string;
  /** How `GET /` shows the path, where that differs. */
  readonly shownAs?: string;
  /** For `GET /`. */
  readonly summary: string;
  /** Answered however busy the server is: a probe must tell load from death (P13). */
  readonly isProbe?: boolean;
  /** The answer to other methods, where a client expects one of its own. */
  readonly otherMethods?: Answer;
  /** How a refusal looks on this path; JSON with an `error` object unless told. */
  readonly refuse?: (refusal: Refusal) => Answer;
  /** Answers, or throws a Refusal. */
  readonly handle: (request: FastifyRequest) => Answer | Promise<Answer>;
}

/** Aborts when the client goes away before its answer is out. */
export type ClientSignal = (request: FastifyRequest) => AbortSignal;

export const jsonType = "application/json; charset=utf-8";
export const textType = "text/plain; charset=utf-8";

export function json(body: unknown, status = 200): Answer {
  return { status, contentType: jsonType, body: JSON.stringify(body) };
}

export function text(body: string, status = 200): Answer {
  return { status, contentType: textType, body };
}

/** `{"error":{"code","message",...facts}}`. */
export function refusalAnswer(refusal: Refusal): Answer {
  const { code, ...facts } = refusal.detail;
  return {
    ...json({ error: { code, message: refusal.message, ...facts } }, httpStatusOf[code]),
    headers: refusalHeaders(refusal),
  };
}

export function refusalHeaders({ detail }: Refusal): Readonly<Record<string, string>> {
  if ("retry_after_ms" in detail) {
    return { "retry-after": String(Math.max(1, Math.ceil(detail.retry_after_ms / 1000))) };
  }
  if (detail.code === "METHOD_NOT_ALLOWED") return { allow: detail.allow.join(", ") };
  if (detail.code === "UNAUTHORIZED") return { "www-authenticate": "Bearer" };
  return {};
}

export function send(reply: FastifyReply, answer: Answer): FastifyReply {
  reply.code(answer.status);
  reply.header("content-type", answer.contentType);
  // What a node says is true for a moment; a proxy must not say it again later.
  reply.header("cache-control", "no-store");
  if (answer.headers !== undefined) reply.headers(answer.headers);
  return reply.send(answer.body);
}
