/** What the execution client tells without a token: blocks, and the transactions in its pool. */

import type { Unfit } from "../executor.ts";
import {
  bytesOf,
  type ClientBlock,
  clientBlockSchema,
  formatData,
  formatQuantity,
  hashSchema,
  modulesSchema,
  nothingSchema,
  rawTransactionsSchema,
  textSchema,
  transactionSchema,
} from "./answers.ts";
import { EngineError, isRefusal, malformed, methodNotFound } from "./errors.ts";
import type { JsonRpcClient } from "./json-rpc.ts";

const timeoutMs = 5_000;

/** Of each block that it forgets, it deletes what it has. */
const forgetTimeoutMs = 60_000;

/** A sender waits for it. */
const offerTimeoutMs = 2_000;

/** geth's and reth's words, Nethermind's, Besu's: there is no code for it. */
const nonceIsUsed = /nonce too low|OldNonce|nonce below/i;

/** geth's words and reth's for what is nobody's transaction, or none of this chain. */
const isNone =
  /invalid sender|invalid transaction v, r, s values|invalid transaction signature|failed to decode signed transaction/i;

/** Transactions that are offered to the client's pool at the same time. */
const offersAtOnce = 8;

/**
 * No client is sent a larger one: geth ends the connection where a request has more than 5 MiB, and in JSON a transaction has
 * twice its bytes. What pools take is less (geth's 128 KiB), and for them to say.
 */
export const offeredTxMaxBytes = (5 * 1024 * 1024 - 1024) / 2;

/** HTTP's word for a request that has too many bytes. */
const contentTooLarge = 413;

/** Why nobody's client can be sent the transaction; null if it can. */
export function whyTooLarge({ length }: Uint8Array): string | null {
  if (length <= offeredTxMaxBytes) return null;
  return `${length} bytes are more than an execution client takes in one request (${offeredTxMaxBytes})`;
}

export class EthApi {
  readonly #rpc: JsonRpcClient;

  constructor(rpc: JsonRpcClient) {
    this.#rpc = rpc;
  }

  get url(): string {
    return this.#rpc.url;
  }

  /** As the client names itself: for the log. */
  async clientVersion(): Promise<string> {
    const method = "web3_clientVersion";
    return await this.#rpc.call({ method, params: [], timeoutMs, result: textSchema });
  }

  /** The client's block at `height`; null above its head. */
  async blockAt(height: number): Promise<ClientBlock | null> {
    return await this.#block(formatQuantity(height));
  }

  /** The last block whose state the client has. */
  async head(): Promise<ClientBlock> {
    const block = await this.#block("latest");
    if (block === null) throw malformed(this.url, "eth_getBlockByNumber", "it has no latest block");
    return block;
  }

  /** The groups of methods that the client's port offers; null from a client that does not say. */
  async modules(): Promise<readonly string[] | null> {
    const method = "rpc_modules";
    try {
      const result = modulesSchema;
      return Object.keys(await this.#rpc.call({ method, params: [], timeoutMs, result }));
    } catch (error) {
      if (isRefusal(error, methodNotFound)) return null;
      throw error;
    }
  }

  /** Lets a geth forget the blocks above `height`. False from a client whose port does not offer that. */
  async forgetAbove(height: number): Promise<boolean> {
    const method = "debug_setHead";
    try {
      const params = [formatQuantity(height)];
      const result = nothingSchema;
      await this.#rpc.call({ method, params, timeoutMs: forgetTimeoutMs, result });
      return true;
    } catch (error) {
      if (isRefusal(error, methodNotFound)) return false;
      throw error;
    }
  }

  /** ev-reth's pool, best transactions first; null from a client that has no such method. */
  async pooledTransactions(): Promise<readonly Uint8Array[] | null> {
    const method = "txpoolExt_getTxs";
    try {
      const result = rawTransactionsSchema;
      const raw = await this.#rpc.call({ method, params: [], timeoutMs, result });
      return raw.map(bytesOf);
    } catch (error) {
      if (isRefusal(error, methodNotFound)) return null;
      throw error;
    }
  }

  /**
   * Puts transactions into the client's pool, in order of arrival, and begins with no more of them after `forMs`: how
   * many were offered. One that the client refuses (it knows it, or its nonce is used) is simply not in the block that it
   * builds.
   */
  async offerTransactions(txs: readonly Uint8Array[], forMs: number): Promise<number> {
    const method = "eth_sendRawTransaction";
    const untilMs = performance.now() + forMs;
    for (let from = 0; from < txs.length; from += offersAtOnce) {
      if (from > 0 && performance.now() >= untilMs) return from;
      const offers = txs.slice(from, from + offersAtOnce).map(async (tx) => {
        if (whyTooLarge(tx) !== null) return;
        try {
          const params = [formatData(tx)];
          await this.#rpc.call({ method, params, timeoutMs, result: hashSchema });
        } catch (error) {
          if (wordOf(error) === null) throw error;
        }
      });
      await Promise.all(offers);
    }
    return txs.length;
  }

  /**
   * Puts one into the client's pool. Why it does not belong there, in the client's words; null where it does, where the
   * client has it already, in its pool or in a block, and where it does not answer.
   */
  async offer(tx: Uint8Array, hash: Uint8Array): Promise<Unfit | null> {
    const tooLarge = whyTooLarge(tx);
    // From an earlier time, or from a member with other limits: accepted here, it would not have been.
    if (tooLarge !== null) return { reason: tooLarge, isFinal: true };
    try {
      const params = [formatData(tx)];
      const method = "eth_sendRawTransaction";
      await this.#rpc.call({ method, params, timeoutMs: offerTimeoutMs, result: hashSchema });
      return null;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      const said = wordOf(error);
      if (said === null) return null;
      if (await this.#mayHave(hash)) return null;
      return { reason: said, isFinal: nonceIsUsed.test(said) || isNone.test(said) };
    }
  }

  /** Whether the client has the transaction; true where it does not answer. */
  async #mayHave(hash: Uint8Array): Promise<boolean> {
    const method = "eth_getTransactionByHash";
    try {
      const params = [formatData(hash)];
      const result = transactionSchema;
      return (await this.#rpc.call({ method, params, timeoutMs, result })) !== null;
    } catch (error) {
      if (error instanceof EngineError) return true;
      throw error;
    }
  }

  async #block(tag: string): Promise<ClientBlock | null> {
    const method = "eth_getBlockByNumber";
    const params = [tag, false];
    return await this.#rpc.call({ method, params, timeoutMs, result: clientBlockSchema });
  }
}

/** What the client, or who stands before it, has said to this one transaction; null if it says nothing of it. */
function wordOf(error: unknown): string | null {
  if (!(error instanceof EngineError)) return null;
  const { detail } = error;
  if (detail.code === "ENGINE_REFUSED") return detail.said;
  const isTooLarge = detail.code === "ENGINE_HTTP_STATUS" && detail.status === contentTooLarge;
  return isTooLarge ? "the execution client takes no request that large (HTTP status 413)" : null;
}
