/**
 * What can go wrong while blocks are run, the disk apart (StorageError). A divergence means that two
 * nodes would hold different states.
 */

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
  /** The execution client holds another block there, or its head is not what the block builds on. */
  | {
      readonly code: "EXECUTION_CLIENT_DIVERGED";
      readonly height: number;
      readonly clientHash: string;
      readonly committedHash: string;
    }
  /** The execution client finds a committed block invalid: two clients disagree. */
  | {
      readonly code: "EXECUTION_REJECTED";
      readonly height: number;
      readonly committedHash: string;
      /** The last block that it does accept; null if it does not say. */
      readonly latestValidHash: string | null;
    }
  /** A committed block is nothing that this executor can run. */
  | { readonly code: "EXECUTION_UNRUNNABLE"; readonly height: number }
  /** Blocks between the executor's head and this one are missing. */
  | { readonly code: "EXECUTION_GAP"; readonly height: number; readonly nextHeight: number }
  /** Executed so long ago that the record of it is gone. */
  | { readonly code: "EXECUTION_FORGOTTEN"; readonly height: number; readonly earliest: number }
  /** The state is that of another chain. */
  | { readonly code: "EXECUTION_FOREIGN"; readonly path: string }
  /** The execution client cannot run this chain. */
  | { readonly code: "EXECUTION_UNSUITABLE"; readonly url: string }
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

/** `what` of the client at `height` has another hash than the chain says. */
export function clientDiverged(facts: {
  readonly height: number;
  readonly what: "block" | "state";
  readonly clientHash: string;
  readonly committedHash: string;
}): ExecutionError {
  const { height, what, clientHash, committedHash } = facts;
  return new ExecutionError(
    { code: "EXECUTION_CLIENT_DIVERGED", height, clientHash, committedHash },
    `state divergence at height ${height}: the execution client's ${what} has hash ${clientHash}, and the ` +
      `committed chain's ${committedHash}. Compare both with another node. If the client is wrong (restored, ` +
      "or driven by somebody else), stop it and this node, wipe the client's data, initialise it with " +
      "its genesis and start both: the blocks are executed again",
  );
}

export function rejected(facts: {
  readonly height: number;
  readonly committedHash: string;
  readonly latestValidHash: string | null;
  readonly reason: string;
}): ExecutionError {
  const { height, committedHash, latestValidHash, reason } = facts;
  const latest = latestValidHash === null ? "" : `, after the valid block ${latestValidHash}`;
  return new ExecutionError(
    { code: "EXECUTION_REJECTED", height, committedHash, latestValidHash },
    `state divergence at height ${height}: the execution client rejects the committed block ` +
      `${committedHash}${latest} (${reason}). Two clients disagree: compare their versions, their genesis ` +
      "and their block at this height on all nodes before anything is wiped",
  );
}

export function unrunnable(height: number, problem: string): ExecutionError {
  return new ExecutionError(
    { code: "EXECUTION_UNRUNNABLE", height },
    `cannot execute the committed block at height ${height}: ${problem}. All nodes of a chain need the ` +
      "same execution.type and the same kind of client, and a release that knows this block",
  );
}

export function unavailable(height: number, cause: Error): ExecutionError {
  // It says all that `cause` says; what stands behind that is new.
  const deeper = cause.cause === undefined ? {} : { cause: cause.cause };
  return new ExecutionError({ code: "EXECUTION_UNAVAILABLE", height }, cause.message, deeper);
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

export function unsuitable(url: string, problem: string): ExecutionError {
  return new ExecutionError(
    { code: "EXECUTION_UNSUITABLE", url },
    `the execution client at ${url} cannot run this chain: ${problem}`,
  );
}

export function newer(path: string, version: number): ExecutionError {
  return new ExecutionError(
    { code: "EXECUTION_NEWER", path, version },
    `${path} has format ${version}, which a newer release wrote. Run that release. Never wipe more than ` +
      "one member to go back",
  );
}
