/** One transaction to one node, and what it answered. */

import { z } from "zod";
import type { LocalNode } from "../../../src/devnet/local-node.ts";

export type TxAnswer =
  | { readonly kind: "committed"; readonly height: number; readonly index: number }
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly status: number; readonly message: string }
  /** No answer: the node is gone, went, or took too long. */
  | { readonly kind: "silent" };

export interface TxOptions {
  readonly key?: string;
  readonly wait?: "commit" | "accept";
  readonly timeoutMs?: number;
}

const committedSchema = z.object({ height: z.number(), index: z.number() });
const refusedSchema = z.object({ error: z.object({ message: z.string() }) });

export async function sendTx(
  node: LocalNode,
  tx: string,
  { key, wait = "commit", timeoutMs = 30_000 }: TxOptions = {},
): Promise<TxAnswer> {
  const response = await post(node, `/tx?wait=${wait}`, tx, key, timeoutMs);
  if (response === null) return { kind: "silent" };
  const { status, body } = response;
  if (status === 200) return { kind: "committed", ...committedSchema.parse(body) };
  if (status === 202) return { kind: "accepted" };
  return { kind: "refused", status, message: refusedSchema.parse(body).error.message };
}

async function post(
  { rpcUrl }: LocalNode,
  path: string,
  tx: string,
  key: string | undefined,
  timeoutMs: number,
): Promise<{ readonly status: number; readonly body: unknown } | null> {
  const headers: Record<string, string> = { "content-type": "application/octet-stream" };
  if (key !== undefined) headers["idempotency-key"] = key;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(rpcUrl + path, { method: "POST", headers, body: tx, signal });
    return { status: response.status, body: await response.json() };
  } catch {
    // Refused, reset or too slow: to a client these are the same.
    return null;
  }
}
