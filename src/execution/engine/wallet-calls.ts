/**
 * Calls of wallets (eth_*, net_*, web3_*), passed to the client beside this node as they came, on
 * connections of their own: however many there are, no block waits behind them.
 */

import { z } from "zod";
import { EngineError, httpStatus, malformed } from "./errors.ts";
import { HttpEndpoint } from "./http-endpoint.ts";

export type WalletAnswer =
  /** The client's JSON-RPC answer, with a result or an error, letter for letter. */
  | { readonly kind: "answered"; readonly json: string }
  | { readonly kind: "unavailable"; readonly error: EngineError }
  /** The wallet has gone: there is nobody to answer. */
  | { readonly kind: "abandoned" };

export interface WalletCall {
  readonly method: string;
  /** The JSON-RPC call, serialised. */
  readonly json: string;
  /** Aborts when the wallet has gone. */
  readonly signal: AbortSignal;
}

/** At a time; together with the next figure it bounds memory. */
const connectionsMax = 32;
/** Traces and logs of many blocks are longer, and are asked of the client itself. */
const answerMaxBytes = 16 * 1024 ** 2;
/** geth gives up a call after 30 s by itself (--http.timeout). */
const timeoutMs = 35_000;

const answerSchema = z.union([
  z.object({ jsonrpc: z.literal("2.0"), result: z.unknown() }),
  z.object({ jsonrpc: z.literal("2.0"), error: z.object({ code: z.number() }) }),
]);

export class WalletCalls {
  readonly #endpoint: HttpEndpoint;

  constructor(url: string) {
    this.#endpoint = new HttpEndpoint({ url, connectionsMax, answerMaxBytes });
  }

  async pass({ method, json, signal }: WalletCall): Promise<WalletAnswer> {
    try {
      const answer = await this.#endpoint.post({ method, body: json, timeoutMs, signal });
      const text = Buffer.from(answer.body).toString("utf8");
      if (isAnswer(text)) return { kind: "answered", json: text.trim() };
      const { url } = this.#endpoint;
      throw answer.status === 200
        ? malformed(url, method, "no JSON-RPC answer")
        : httpStatus(url, answer.status, text);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      const isAbandoned = error.detail.code === "ENGINE_ABANDONED";
      return isAbandoned ? { kind: "abandoned" } : { kind: "unavailable", error };
    }
  }

  /** Calls under way and later ones have no answer. May be called twice. */
  close(): void {
    this.#endpoint.close();
  }
}

/** Whether `text` is a JSON-RPC answer: what is none must not be put among the answers of a batch. */
export function isAnswer(text: string): boolean {
  try {
    return answerSchema.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}
