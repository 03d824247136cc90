/** The answer about a block. A refusal is an answer, not a failure: every node refuses for the same reason. */

import { toHex } from "../base/bytes.ts";

export type RefusalCode =
  | "height"
  | "chainId"
  | "parentHash"
  | "time"
  | "appHash"
  | "proposer"
  | "hash"
  | "timestamp"
  | "metadata"
  | "lastDataHash"
  | "dataHash"
  | "txIds"
  | "duplicateTx"
  | "knownTx"
  | "signature"
  | "signer";

export interface Refusal {
  readonly kind: "refused";
  readonly code: RefusalCode;
  /** A sentence with what was expected and what came. */
  readonly reason: string;
}

export function refuse(code: RefusalCode, reason: string): Refusal {
  return { kind: "refused", code, reason };
}

/** The reason for a refusal over two hashes. */
export function mismatch(what: string, got: Uint8Array, expected: Uint8Array): string {
  return `${what} is ${show(got)} in the block, and ${show(expected)} here`;
}

function show(hash: Uint8Array): string {
  return hash.length === 0 ? "absent" : `0x${toHex(hash)}`;
}
