/**
 * JSON-RPC 2.0 over HTTP to one endpoint of the execution client. Connections are kept alive; every
 * call ends, with a result or an EngineError. Nothing is repeated here, with one exception: a
 * connection that the client had closed while it was idle is no failure, and the request goes out
 * once more on a new one.
 */

import * as http from "node:http";
import * as https from "node:https";
import { z } from "zod";
import { concatBytes } from "../../base/bytes.ts";
import {
  closed,
  EngineError,
  httpStatus,
  malformed,
  refused,
  timeout,
  unauthorised,
  unreachable,
} from "./errors.ts";

export interface JsonRpcOptions {
  readonly url: string;
  /** The token of a request that goes out now; null where the endpoint asks for none. */
  readonly token: (() => string) | null;
}

export interface Call<T> {
  readonly method: string;
  readonly params: readonly unknown[];
  readonly timeoutMs: number;
  /** Past this edge a result is what it says. */
  readonly result: z.ZodType<T>;
}

/** A block's payload with its blobs, in hexadecimal, several times over; a longer answer is none. */
const answerMaxBytes = 64 * 1024 ** 2;

/** Calls at a time; blocks are executed one after the other, the others are cheap reads. */
const connectionsMax = 8;

const answerSchema = z.object({
  id: z.number().nullable(),
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string() }).nullish(),
});

interface HttpAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

export class JsonRpcClient {
  readonly url: string;
  readonly #target: URL;
  readonly #token: (() => string) | null;
  readonly #agent: http.Agent;
  readonly #closing = new AbortController();
  #lastId = 0;

  constructor({ url, token }: JsonRpcOptions) {
    this.#target = new URL(url);
    // A password in the URL is for the server's eyes, not for a log's.
    const shown = new URL(url);
    shown.username = "";
    shown.password = "";
    this.url = shown.href.replace(/\/$/, "");
    this.#token = token;
    const options = { keepAlive: true, maxSockets: connectionsMax };
    this.#agent =
      this.#target.protocol === "https:" ? new https.Agent(options) : new http.Agent(options);
  }

  /** Throws EngineError if there is no result. */
  async call<T>({ method, params, timeoutMs, result }: Call<T>): Promise<T> {
    const id = ++this.#lastId;
    const body = JSON.stringify({ jsonrpc: "2.0", id, method, params });
    const { status, body: answer } = await this.#post(method, body, timeoutMs);
    const text = Buffer.from(answer).toString("utf8");
    if (status === 401 || status === 403) throw unauthorised(this.url, text);
    // Clients send JSON-RPC errors with status 200, and some with another: the error tells more.
    const parsed = answerSchema.safeParse(parseJson(text));
    if (!parsed.success && status !== 200) throw httpStatus(this.url, status, text);
    if (!parsed.success) throw malformed(this.url, method, "no JSON-RPC answer");
    const { error } = parsed.data;
    if (error) throw refused(method, error.code, error.message);
    if (status !== 200) throw httpStatus(this.url, status, text);
    if (parsed.data.id !== id) throw malformed(this.url, method, `the id is ${parsed.data.id}`);
    const decoded = result.safeParse(parsed.data.result);
    if (decoded.success) return decoded.data;
    const issue = decoded.error.issues[0];
    const path = issue === undefined ? "" : `result.${issue.path.join(".")}: ${issue.message}`;
    throw malformed(this.url, method, path);
  }

  /** Calls under way and later ones fail. May be called twice. */
  close(): void {
    this.#closing.abort();
    this.#agent.destroy();
  }

  async #post(method: string, body: string, timeoutMs: number): Promise<HttpAnswer> {
    const timer = AbortSignal.timeout(timeoutMs);
    const signal = AbortSignal.any([timer, this.#closing.signal]);
    for (let isRepeated = false; ; isRepeated = true) {
      const sent: { request: http.ClientRequest | null } = { request: null };
      try {
        return await this.#postOnce(method, body, signal, sent);
      } catch (error) {
        if (this.#closing.signal.aborted) throw closed();
        if (timer.aborted) throw timeout(this.url, method, timeoutMs);
        if (error instanceof EngineError) throw error;
        const wasIdle = sent.request?.reusedSocket === true && !isRepeated;
        if (!wasIdle || !isReset(error)) throw unreachable(this.url, error);
      }
    }
  }

  #postOnce(
    method: string,
    body: string,
    signal: AbortSignal,
    sent: { request: http.ClientRequest | null },
  ): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const send = this.#target.protocol === "https:" ? https.request : http.request;
      const request = send(this.#target, {
        method: "POST",
        agent: this.#agent,
        signal,
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          ...(this.#token === null ? {} : { authorization: `Bearer ${this.#token()}` }),
        },
      });
      sent.request = request;
      request.on("error", reject);
      request.on("response", (response) => {
        const chunks: Uint8Array[] = [];
        let bytes = 0;
        response.on("data", (chunk: Uint8Array) => {
          bytes += chunk.length;
          chunks.push(chunk);
          if (bytes <= answerMaxBytes) return;
          reject(malformed(this.url, method, `more than ${answerMaxBytes} bytes`));
          request.destroy();
        });
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: concatBytes(...chunks) }),
        );
      });
      request.end(body);
    });
  }
}

function isReset(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    (error.code === "ECONNRESET" || error.code === "EPIPE")
  );
}

/** Undefined, which no schema takes, if `text` is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
