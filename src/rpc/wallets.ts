/**
 * Wallets at a node's RPC: `eth_sendRawTransaction` goes to the sequencer, which keeps the transaction until
 * a block has it; every other `eth_*`, `net_*` and `web3_*` to the Ethereum client beside the node, unchanged.
 */

import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { defined } from "../base/assert.ts";
import { fromHex, toHex } from "../base/bytes.ts";
import type { ClientSignal } from "./answer.ts";
import type { EthereumClient } from "./api.ts";
import { decode } from "./decode.ts";
import { Refusal, type RefusalCode } from "./errors.ts";
import type { RefusalOf } from "./failures.ts";
import { type RpcLogger, strangerLogIntervalMs } from "./options.ts";
import { retryAfterMs, type Submit } from "./submission.ts";

export interface WalletCall {
  readonly id: string | number | null;
  readonly method: string;
  readonly params?: unknown;
}

export interface WalletDependencies {
  readonly ethereum: EthereumClient;
  readonly submit: Submit;
  readonly clientSignal: ClientSignal;
  readonly refusalOf: RefusalOf;
  readonly log: RpcLogger;
}

/** For `GET /`. */
export const walletMethods = ["eth_*", "net_*", "web3_*"] as const;

export function isWalletMethod(name: string): boolean {
  return /^(eth|net|web3)_/.test(name);
}

/** They would put a transaction into the pool of one client alone, where it is lost with that client. */
const withheld: ReadonlySet<string> = new Set([
  "eth_sendTransaction",
  "eth_resend",
  "eth_sendRawTransactionSync",
  "eth_sendRawTransactionConditional",
]);

const sendParams = z.tuple([
  z.string().regex(/^0x([0-9a-fA-F]{2})+$/, "must be the signed transaction in hexadecimal"),
]);

export class Wallets {
  readonly #dependencies: WalletDependencies;

  constructor(dependencies: WalletDependencies) {
    this.#dependencies = dependencies;
  }

  /** The answer, serialised. Never rejects. */
  async answer(call: WalletCall, request: FastifyRequest): Promise<string> {
    const { id, method } = call;
    try {
      if (withheld.has(method)) throw withheldRefusal(method);
      if (method !== "eth_sendRawTransaction") return await this.#pass(call, request);
      const result = await this.#send(call.params, request);
      return JSON.stringify({ jsonrpc: "2.0", id, result });
    } catch (error) {
      const { code, message } = this.#dependencies.refusalOf(error, request);
      return JSON.stringify({ jsonrpc: "2.0", id, error: { code: errorCodeOf(code), message } });
    }
  }

  /** The transaction's hash, once it is durable here. */
  async #send(params: unknown, request: FastifyRequest): Promise<string> {
    const { submit, clientSignal } = this.#dependencies;
    const [raw] = decode(sendParams, params, "params");
    const tx = defined(fromHex(raw), "the schema takes only hexadecimal");
    const signal = clientSignal(request);
    const { txId } = await submit({ tx, idempotencyKey: null, wait: "accept", signal });
    return `0x${toHex(txId)}`;
  }

  async #pass({ id, method, params }: WalletCall, request: FastifyRequest): Promise<string> {
    const { ethereum, clientSignal, log } = this.#dependencies;
    const json = JSON.stringify({ jsonrpc: "2.0", id, method, params });
    const outcome = await ethereum.pass({ method, json, signal: clientSignal(request) });
    if (outcome.kind === "answered") return outcome.json;
    if (outcome.kind === "unavailable") {
      const reason = outcome.error.message;
      const logger = log.every("wallets", strangerLogIntervalMs);
      logger?.warn({ reason }, "a wallet's call has no answer");
    }
    throw new Refusal(
      { code: "UNAVAILABLE", retry_after_ms: retryAfterMs },
      "The execution client of this node has given no answer. Ask again, or another node.",
    );
  }
}

function withheldRefusal(method: string): Refusal {
  return new Refusal(
    { code: "METHOD_NOT_FOUND" },
    `the method ${method} is not available: sign the transaction, and send it by eth_sendRawTransaction`,
  );
}

/** EIP-1474. What a client would refuse, too, has its code (-32000), and its words as the message. */
function errorCodeOf(code: RefusalCode): number {
  switch (code) {
    case "METHOD_NOT_FOUND":
      return -32601;
    case "BAD_REQUEST":
      return -32602;
    case "INTERNAL":
      return -32603;
    case "UNAVAILABLE":
      return -32002;
    case "QUEUE_FULL":
    case "RATE_LIMITED":
      return -32005;
    default:
      return -32000;
  }
}
