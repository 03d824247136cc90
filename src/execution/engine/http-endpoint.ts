/**
 * One endpoint of the execution client, over HTTP. Connections are kept alive; every request ends, with an answer or
 * an EngineError. Nothing is repeated here, with one exception: a connection that the client had closed
 * while it was idle is no failure, and the request goes out once more on a new one.
 */

import * as http from "node:http";
import * as https from "node:https";
import { concatBytes } from "../../base/bytes.ts";
import { abandoned, closed, EngineError, malformed, timeout, unreachable } from "./errors.ts";

export interface HttpEndpointOptions {
  readonly url: string;
  /** Requests at a time; more of them wait. */
  readonly connectionsMax: number;
  /** A longer answer is none. */
  readonly answerMaxBytes: number;
}

export interface HttpRequest {
  /** What is asked, for errors. */
  readonly method: string;
  readonly body: string;
  readonly timeoutMs: number;
  /** Made when the request goes out. */
  readonly headers?: () => Readonly<Record<string, string>>;
  /** Ends the request when nobody wants its answer any more. */
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

export class HttpEndpoint {
  readonly url: string;
  readonly #target: URL;
  readonly #answerMaxBytes: number;
  readonly #agent: http.Agent;
  readonly #closing = new AbortController();

  constructor({ url, connectionsMax, answerMaxBytes }: HttpEndpointOptions) {
    this.#target = new URL(url);
    // A password in the URL is for the server's eyes, not for a log's.
    const shown = new URL(url);
    shown.username = "";
    shown.password = "";
    this.url = shown.href.replace(/\/$/, "");
    this.#answerMaxBytes = answerMaxBytes;
    const options = { keepAlive: true, maxSockets: connectionsMax };
    this.#agent =
      this.#target.protocol === "https:" ? new https.Agent(options) : new http.Agent(options);
  }

  /** Requests under way and later ones fail. May be called twice. */
  close(): void {
    this.#closing.abort();
    this.#agent.destroy();
  }

  /** Throws EngineError if there is no answer. */
  async post(request: HttpRequest): Promise<HttpAnswer> {
    const { method, timeoutMs } = request;
    const timer = AbortSignal.timeout(timeoutMs);
    const ends = [timer, this.#closing.signal];
    const signal = AbortSignal.any(request.signal === undefined ? ends : [...ends, request.signal]);
    for (let isRepeated = false; ; isRepeated = true) {
      const sent: { request: http.ClientRequest | null } = { request: null };
      try {
        return await this.#postOnce(request, signal, sent);
      } catch (error) {
        if (this.#closing.signal.aborted) throw closed();
        if (request.signal?.aborted) throw abandoned(method);
        if (timer.aborted) throw timeout(this.url, method, timeoutMs);
        if (error instanceof EngineError) throw error;
        const wasIdle = sent.request?.reusedSocket === true && !isRepeated;
        if (!wasIdle || !isReset(error)) throw unreachable(this.url, error);
      }
    }
  }

  #postOnce(
    { method, body, headers = () => ({}) }: HttpRequest,
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
          ...headers(),
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
          if (bytes <= this.#answerMaxBytes) return;
          reject(malformed(this.url, method, `more than ${this.#answerMaxBytes} bytes`));
          request.destroy();
        });
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: concatBytes(chunks) }),
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
