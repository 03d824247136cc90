/**
 * Plain geth or reth: the client fills blocks from its own pool, and what it built is the block. It
 * begins when the block before is executed, and the result is fetched when the block is due.
 */

import { sleep } from "../../base/task-group.ts";
import { rejected, unrunnable } from "../errors.ts";
import type { BlockToBuild, BlockToExecute, IdentifiedTx } from "../executor.ts";
import type { BuiltPayload, ClientBlock } from "./answers.ts";
import { attributesOf, type BlockMaker, type MakerTools, secondsOf } from "./block-maker.ts";
import type { Submission } from "./engine-api.ts";
import { EngineError, isRefusal, malformed, unknownPayload } from "./errors.ts";
import { encodePayload } from "./payload-block.ts";
import { PoolOffers } from "./pool-offers.ts";

interface Building {
  readonly payloadId: string;
  readonly parentHash: string;
  readonly timestampSeconds: number;
  readonly sinceMs: number;
}

/** A client first makes an empty block and then a full one: asked sooner, it answers with the empty one. */
const buildMinMs = 100;

/**
 * Once a client has built a block that is too large it is asked for so many empty ones: heights go on, and a lower gas limit,
 * which each block approaches by a 1024th, takes effect. Then it is asked for a full one again.
 */
const emptyBlocksWhenTooLarge = 16;

const listed =
  "it is a list of transactions for ev-reth to build from, and this client takes only what a client built";

export class PayloadMaker implements BlockMaker {
  /** Clients know whole seconds, and want each block later than the one before. */
  readonly timestampStepNs = 1_000_000_000n;
  readonly #tools: MakerTools;
  #building: Building | null = null;
  #emptyBlocks = 0;
  readonly #offers: PoolOffers;

  constructor(tools: MakerTools) {
    this.#tools = tools;
    this.#offers = new PoolOffers(tools);
  }

  async prepare(block: BlockToBuild, parent: ClientBlock): Promise<void> {
    await this.#offers.beforeDue(block);
    // What is begun now would be full when it is fetched.
    this.#building = this.#emptyBlocks > 0 ? null : await this.#start(block, parent);
  }

  async build(block: BlockToBuild, parent: ClientBlock): Promise<readonly IdentifiedTx[]> {
    const { engine } = this.#tools;
    await this.#offers.whenDue(block);
    const building = isFor(this.#building, block, parent)
      ? this.#building
      : await this.#start(block, parent);
    this.#building = building;
    const built = await this.#fetch(building).catch(async (error: unknown) => {
      if (!isRefusal(error, unknownPayload)) throw error;
      // A client drops what nobody has fetched for a while: it begins once more.
      this.#building = await this.#start(block, parent);
      return await this.#fetch(this.#building);
    });
    const { parentHash, blockNumber, timestamp } = built.executionPayload;
    const isAsked =
      parentHash === parent.hash &&
      Number(blockNumber) === block.height &&
      Number(timestamp) === secondsOf(block.timestampNs);
    if (!isAsked) {
      const got = `number ${Number(blockNumber)}, time ${Number(timestamp)}, parent ${parentHash}`;
      throw malformed(engine.url, "engine_getPayload", `another block than was asked for: ${got}`);
    }
    return this.#encode(built);
  }

  async #fetch({ payloadId, sinceMs }: Building): Promise<BuiltPayload> {
    const elapsedMs = performance.now() - sinceMs;
    if (elapsedMs < buildMinMs && this.#emptyBlocks === 0) await sleep(buildMinMs - elapsedMs);
    return await this.#tools.engine.getPayload(payloadId);
  }

  #encode(built: BuiltPayload): readonly IdentifiedTx[] {
    try {
      const txs = encodePayload(built);
      this.#emptyBlocks = Math.max(0, this.#emptyBlocks - 1);
      return txs;
    } catch (error) {
      const isTooLarge =
        error instanceof EngineError && error.detail.code === "ENGINE_BLOCK_TOO_LARGE";
      if (isTooLarge) this.#emptyBlocks = emptyBlocksWhenTooLarge;
      // The client answers for the same parent and time with the same block.
      this.#building = null;
      throw error;
    }
  }

  async rebuild({ height }: BlockToExecute): Promise<Submission> {
    throw unrunnable(height, listed);
  }

  checkExecuted({ height }: BlockToExecute): void {
    throw unrunnable(height, listed);
  }

  reset(): void {
    this.#building = null;
    this.#offers.reset();
  }

  async #start(block: BlockToBuild, parent: ClientBlock): Promise<Building> {
    const { engine, feeRecipient, forkchoiceOf } = this.#tools;
    const sinceMs = performance.now();
    const answer = await engine.startBuilding(
      await forkchoiceOf(parent),
      attributesOf(block, feeRecipient, null),
    );
    if (answer.kind === "building") {
      const { payloadId } = answer;
      const timestampSeconds = secondsOf(block.timestampNs);
      return { payloadId, parentHash: parent.hash, timestampSeconds, sinceMs };
    }
    const { latestValidHash, reason } = answer;
    throw rejected({ height: parent.number, committedHash: parent.hash, latestValidHash, reason });
  }
}

function isFor(
  building: Building | null,
  block: BlockToBuild,
  parent: ClientBlock,
): building is Building {
  return (
    building !== null &&
    building.parentHash === parent.hash &&
    building.timestampSeconds === secondsOf(block.timestampNs)
  );
}
