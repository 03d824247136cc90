/** Who puts a block together: the client itself, or this node, whose list of transactions it runs. */

import type { BlockToBuild, BlockToExecute, IdentifiedTx } from "../executor.ts";
import type { ClientBlock } from "./answers.ts";
import type { EngineApi, Forkchoice, PayloadAttributes, Submission } from "./engine-api.ts";
import type { EthApi } from "./eth-api.ts";

export interface BlockMaker {
  readonly timestampStepNs: bigint;
  prepare(block: BlockToBuild, parent: ClientBlock): Promise<void>;
  build(block: BlockToBuild, parent: ClientBlock): Promise<readonly IdentifiedTx[]>;
  /** The payload of a committed block that holds none. */
  rebuild(block: BlockToExecute, parent: ClientBlock): Promise<Submission>;
  /** Throws if `executed` is not what came of the committed block, which holds no payload. */
  checkExecuted(block: BlockToExecute, executed: ClientBlock): void;
  /** The client may have been restarted: what it was told before, it may have forgotten. */
  reset(): void;
}

export interface MakerTools {
  readonly engine: EngineApi;
  readonly eth: EthApi;
  readonly feeRecipient: string;
  /** From a block to the next. */
  readonly blockTimeMs: number;
  /** That the client's head stays at `block`. */
  readonly forkchoiceOf: (block: ClientBlock) => Promise<Forkchoice>;
}

/** Engine API time. */
export function secondsOf(timestampNs: bigint): number {
  return Number(timestampNs / 1_000_000_000n);
}

export function attributesOf(
  block: { readonly height: number; readonly timestampNs: bigint },
  feeRecipient: string,
  contents: PayloadAttributes["contents"],
): PayloadAttributes {
  const { height, timestampNs } = block;
  return {
    height,
    timestampSeconds: secondsOf(timestampNs),
    prevRandao: `0x${height.toString(16).padStart(64, "0")}`,
    suggestedFeeRecipient: feeRecipient,
    contents,
  };
}
