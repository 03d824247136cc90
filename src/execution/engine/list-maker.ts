/**
 * ev-reth: the block is a list of transactions, and every node's client builds the same payload from it once it is
 * committed. The leader's client chooses: what waits is offered to its pool, and the list is what its pool names then.
 * ev-reth leaves out of a block, without a word, what does not fit into its gas or comes before its nonce, and builds none
 * at all where a signature is no signature. Its pool names nothing of that, and no more than a block's gas.
 */

import { blockTransactionsMaxBytes } from "../../base/limits.ts";
import { dataHashes } from "../../block/hash.ts";
import { transactionsPerBlockMax } from "../../block/limits.ts";
import { diverged, rejected } from "../errors.ts";
import type { BlockToBuild, BlockToExecute, IdentifiedTx } from "../executor.ts";
import { bytesOf, type ClientBlock, formatData } from "./answers.ts";
import { attributesOf, type BlockMaker, type MakerTools, secondsOf } from "./block-maker.ts";
import type { Submission } from "./engine-api.ts";
import { malformed } from "./errors.ts";
import { transactionHash, whyNoTransaction } from "./payload-block.ts";
import { PoolOffers } from "./pool-offers.ts";

export class ListMaker implements BlockMaker {
  /** ev-reth lets blocks share a second. */
  readonly timestampStepNs = 1n;
  readonly #tools: MakerTools;
  readonly #offers: PoolOffers;

  constructor(tools: MakerTools) {
    this.#tools = tools;
    this.#offers = new PoolOffers(tools);
  }

  /** No build is begun: ev-reth builds what is committed. */
  async prepare(block: BlockToBuild): Promise<void> {
    await this.#offers.beforeDue(block);
  }

  async build(block: BlockToBuild): Promise<readonly IdentifiedTx[]> {
    const { eth } = this.#tools;
    await this.#offers.whenDue(block);
    const pooled = await eth.pooledTransactions();
    if (pooled === null) throw malformed(eth.url, "txpoolExt_getTxs", "it had this method before");
    const chosen = new Map<string, IdentifiedTx>();
    let bytes = 0;
    for (const tx of pooled) {
      // A blob transaction, by another way than ours. Its sender has no transactions of another kind in the pool.
      if (whyNoTransaction(tx) !== null) continue;
      const id = transactionHash(tx);
      const name = formatData(id);
      // The client's pool goes on naming what is executed.
      if (chosen.has(name) || block.isKnownTx(id)) continue;
      bytes += tx.length;
      // Here the list ends: a later one may be its sender's next.
      if (bytes > blockTransactionsMaxBytes || chosen.size >= transactionsPerBlockMax) break;
      chosen.set(name, { tx, id });
    }
    return [...chosen.values()];
  }

  async rebuild(block: BlockToExecute, parent: ClientBlock): Promise<Submission> {
    const { engine, feeRecipient, forkchoiceOf } = this.#tools;
    const transactions = block.txs.filter(({ length }) => length > 0).map(formatData);
    const contents = { transactions, gasLimit: parent.gasLimit };
    const attributes = attributesOf(block, feeRecipient, contents);
    const answer = await engine.startBuilding(await forkchoiceOf(parent), attributes);
    if (answer.kind === "invalid") {
      const { latestValidHash, reason } = answer;
      throw rejected({
        height: parent.number,
        committedHash: parent.hash,
        latestValidHash,
        reason,
      });
    }
    const built = await engine.getPayload(answer.payloadId);
    const payload = built.executionPayload;
    const isAsked =
      payload.parentHash === parent.hash &&
      Number(payload.blockNumber) === block.height &&
      Number(payload.timestamp) === secondsOf(block.timestampNs);
    if (!isAsked) {
      throw malformed(engine.url, "engine_getPayload", "another block than was asked for");
    }
    const executionRequests = built.executionRequests ?? [];
    return { payload, blobVersionedHashes: [], executionRequests };
  }

  /** Same second, and no transaction that is not in the list; ev-reth leaves out those that fail. */
  checkExecuted({ height, timestampNs, txs }: BlockToExecute, executed: ClientBlock): void {
    const listed = new Set(txs.map((tx) => formatData(transactionHash(tx))));
    const isSame =
      executed.timestamp === secondsOf(timestampNs) &&
      executed.transactions.every((hash) => listed.has(hash));
    if (isSame) return;
    const offered = dataHashes({ metadata: null, txs }).commitment;
    throw diverged({ height, field: "transactions", executed: bytesOf(executed.hash), offered });
  }

  reset(): void {
    this.#offers.reset();
  }
}
