/** Submitted transactions in the shapes of CometBFT's `broadcast_tx_*`. */

import { createHash } from "node:crypto";
import { hex, upperHex } from "./encoding.ts";
import { Refusal } from "./errors.ts";
import type { Submitted } from "./submission.ts";

interface CheckedTx {
  /** 0 is good. */
  readonly code: number;
  readonly log: string;
}

const accepted: CheckedTx = { code: 0, log: "" };

/** CometBFT answers a malformed transaction with a code, and keeps errors for what it could not try. */
export async function unlessInvalid(
  submitting: Promise<Submitted>,
): Promise<Submitted | { readonly kind: "invalid"; readonly reason: string }> {
  try {
    return await submitting;
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== "INVALID_TRANSACTION") throw error;
    return { kind: "invalid", reason: error.message };
  }
}

type Outcome = Awaited<ReturnType<typeof unlessInvalid>>;

export function broadcastTxSync(tx: Uint8Array, outcome: Outcome): object {
  return { ...checked(checkOf(outcome)), hash: txHash(tx), ...identity(outcome) };
}

export function broadcastTxCommit(tx: Uint8Array, outcome: Outcome): object {
  const location = outcome.kind === "committed" ? outcome.location : null;
  return {
    check_tx: result(checkOf(outcome)),
    tx_result: result(accepted),
    hash: txHash(tx),
    height: String(location?.height ?? 0),
    ...(location && { index: location.index }),
    ...identity(outcome),
  };
}

function checkOf(outcome: Outcome): CheckedTx {
  return outcome.kind === "invalid" ? { code: 1, log: outcome.reason } : accepted;
}

function checked({ code, log }: CheckedTx): object {
  return { code, data: "", log, codespace: "" };
}

function result({ code, log }: CheckedTx): object {
  return {
    code,
    data: null,
    log,
    info: "",
    gas_wanted: "0",
    gas_used: "0",
    events: [],
    codespace: "",
  };
}

/** CometBFT's hash is of the bytes alone; what the cluster knows the transaction by stands beside it. */
function identity(outcome: Outcome): object {
  return outcome.kind === "invalid" ? {} : { tx_id: hex(outcome.txId) };
}

function txHash(tx: Uint8Array): string {
  return upperHex(createHash("sha256").update(tx).digest());
}
