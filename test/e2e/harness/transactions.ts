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

/** Of one request, which all come into one block or two. */
const batchSize = 100;
const batchesAtOnce = 8;

/** `count` small transactions, each with an identity of its own, all in blocks when this resolves. */
export async function commitMany(node: LocalNode, count: number): Promise<void> {
  let left = Math.ceil(count / batchSize);
  const commitBatches = async () => {
    while (left-- > 0) await commitBatch(node, left);
  };
  await Promise.all(Array.from({ length: batchesAtOnce }, commitBatches));
}

async function commitBatch({ rpcUrl }: LocalNode, nth: number): Promise<void> {
  const tx = (id: number) => Buffer.from(`many-${nth}-${id}=1`).toString("base64");
  const calls = Array.from({ length: batchSize }, (_, id) => ({
    jsonrpc: "2.0",
    id,
    method: "broadcast_tx_commit",
    params: { tx: tx(id) },
  }));
  const response = await fetch(rpcUrl, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(calls),
  });
  const answers = z.array(z.object({ result: z.unknown() })).parse(await response.json());
  if (answers.some(({ result }) => result === undefined)) throw new Error("one was not committed");
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
