/** What the execution client tells without a token: blocks, and the transactions in its pool. */

import {
  bytesOf,
  type ClientBlock,
  clientBlockSchema,
  formatData,
  formatQuantity,
  hashSchema,
  rawTransactionsSchema,
  textSchema,
} from "./answers.ts";
import { EngineError, isRefusal, malformed, methodNotFound } from "./errors.ts";
import type { JsonRpcClient } from "./json-rpc.ts";

const timeoutMs = 5_000;

/** Transactions that are offered to the client's pool at the same time. */
const offersAtOnce = 8;

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
   * Puts transactions into the client's pool, in order of arrival. One that the client refuses (it knows it,
   * or its nonce is used) is simply not in the block that it builds.
   */
  async offerTransactions(txs: readonly Uint8Array[]): Promise<void> {
    const method = "eth_sendRawTransaction";
    for (let from = 0; from < txs.length; from += offersAtOnce) {
      const offers = txs.slice(from, from + offersAtOnce).map(async (tx) => {
        try {
          const params = [formatData(tx)];
          await this.#rpc.call({ method, params, timeoutMs, result: hashSchema });
        } catch (error) {
          const isItsWord = error instanceof EngineError && error.code === "ENGINE_REFUSED";
          if (!isItsWord) throw error;
        }
      });
      await Promise.all(offers);
    }
  }

  async #block(tag: string): Promise<ClientBlock | null> {
    const method = "eth_getBlockByNumber";
    const params = [tag, false];
    return await this.#rpc.call({ method, params, timeoutMs, result: clientBlockSchema });
  }
}
