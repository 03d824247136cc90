/** What can go wrong while blocks are run, the disk apart (StorageError). A divergence means that two nodes would hold different states. */

import { toHex } from "../base/bytes.ts";
import { CodedError } from "../base/coded-error.ts";

export class ExecutionError extends CodedError<
  /** The same height with other content than was executed before. Hashes in hexadecimal. */
  | {
      readonly code: "EXECUTION_DIVERGED";
      readonly height: number;
      readonly field: "transactions" | "state before the block";
      readonly executed: string;
      readonly offered: string;
    }
  /** Blocks between the executor's head and this one are missing. */
  | { readonly code: "EXECUTION_GAP"; readonly height: number; readonly nextHeight: number }
  /** Executed so long ago that the record of it is gone. */
  | { readonly code: "EXECUTION_FORGOTTEN"; readonly height: number; readonly earliest: number }
  /** The state is that of another chain. */
  | { readonly code: "EXECUTION_FOREIGN"; readonly path: string }
  | { readonly code: "EXECUTION_NEWER"; readonly path: string; readonly version: number }
  /** The execution client does not answer, or not yet: the only error after which it is asked again. */
  | { readonly code: "EXECUTION_UNAVAILABLE"; readonly height: number }
> {}

export function diverged(facts: {
  readonly height: number;
  readonly field: "transactions" | "state before the block";
  readonly executed: Uint8Array;
  readonly offered: Uint8Array;
}): ExecutionError {
  const executed = toHex(facts.executed);
  const offered = toHex(facts.offered);
  const { height, field } = facts;
  return new ExecutionError(
    { code: "EXECUTION_DIVERGED", height, field, executed, offered },
    `state divergence at height ${height}: the ${field} have hash 0x${executed} in this node's ` +
      `executor, and 0x${offered} in the block. Compare both with another node; if this one is wrong, ` +
      "stop it and wipe its data directory, and it will fetch the chain again",
  );
}

export function gap(height: number, nextHeight: number): ExecutionError {
  return new ExecutionError(
    { code: "EXECUTION_GAP", height, nextHeight },
    `cannot execute height ${height}: the executor comes to height ${nextHeight} first. ` +
      "Its state was restored or wiped without the blocks: replay them in order",
  );
}

export function forgotten(height: number, earliest: number): ExecutionError {
  return new ExecutionError(
    { code: "EXECUTION_FORGOTTEN", height, earliest },
    `height ${height} was executed, but only the results from height ${earliest} on are kept. The block ` +
      "store is far behind the executor's state: restore both from the same backup, or wipe both",
  );
}

export function foreignChain(path: string, problem: string): ExecutionError {
  return new ExecutionError(
    { code: "EXECUTION_FOREIGN", path },
    `${path} holds the state of another chain: ${problem}. Point --home at the right directory, or copy ` +
      "genesis.json from another node",
  );
}

export function newer(path: string, version: number): ExecutionError {
  return new ExecutionError(
    { code: "EXECUTION_NEWER", path, version },
    `${path} has format ${version}, which a newer release wrote. Run that release, or wipe the data ` +
      "directory to fetch the chain again",
  );
}
