/**
 * ev-reth: the block is a list of transactions, those that came by RPC and then the client's own pool,
 * and every node's client builds the same payload from it once it is committed.
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
import { transactionHash } from "./payload-block.ts";

export class ListMaker implements BlockMaker {
  /** ev-reth lets blocks share a second. */
  readonly timestampStepNs = 1n;
  readonly #tools: MakerTools;

  constructor(tools: MakerTools) {
    this.#tools = tools;
  }

  /** Nothing to begin: ev-reth builds what is committed. */
  async prepare(): Promise<void> {}

  async build({ waiting, isKnownTx }: BlockToBuild): Promise<readonly IdentifiedTx[]> {
    const pooled = (await this.#tools.eth.pooledTransactions()) ?? [];
    const candidates = [...waiting(), ...pooled.map((tx) => ({ tx, id: transactionHash(tx) }))];
    const chosen = new Map<string, IdentifiedTx>();
    let bytes = 0;
    for (const { tx, id } of candidates) {
      const name = formatData(id);
      // The client's pool goes on naming what is executed.
      if (tx.length === 0 || chosen.has(name) || isKnownTx(id)) continue;
      bytes += tx.length;
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

  /** Holds nothing between two calls. */
  reset(): void {}
}
