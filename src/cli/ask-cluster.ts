/** What running nodes say of their cluster over HTTP, and the one thing asked of their leader. */

import { z } from "zod";
import type { CliContext } from "./context.ts";
import { type CliError, unavailable } from "./errors.ts";
import { type Exchange, exchangeJson } from "./exchange-json.ts";

/** No control character of a stranger's reaches the operator's terminal. */
const word = z.string().regex(/^\P{Cc}*$/u);

const memberSchema = z.object({
  id: word,
  address: word,
  role: word,
  suffrage: word,
  health: word,
  lastHeartbeat: word.nullable(),
  rttMs: z.number().nullable(),
  matchIndex: z.number().nullable(),
  height: z.number().nullable(),
});

const clusterSchema = z.object({
  leaderId: word.nullable(),
  term: z.number(),
  nodes: z.array(memberSchema),
  commitIndex: z.number(),
});

const raftNodeSchema = z.object({ node_id: word });

const transferredSchema = z.object({ leader_id: word });

const refusalSchema = z.object({ error: z.object({ code: word, message: word }) });

export type Member = z.infer<typeof memberSchema>;
export type Cluster = z.infer<typeof clusterSchema>;

/** A node that told of its cluster. */
export interface ClusterAnswer {
  readonly address: string;
  readonly cluster: Cluster;
  /** The whole of `GET /cluster`. */
  readonly json: unknown;
}

/** `reason` continues the address in a sentence. */
export interface Silence {
  readonly address: string;
  readonly reason: string;
}

export type Asked = ClusterAnswer | Silence;

export type Transfer =
  | { readonly kind: "transferred"; readonly leaderId: string }
  /** It wants another token than it was sent. */
  | { readonly kind: "unauthorized"; readonly reason: string }
  /** It has no token, and answers its own machine only. */
  | { readonly kind: "forbidden"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string }
  /** Whether it handed over is not known. */
  | { readonly kind: "unanswered"; readonly reason: string };

/** A node asks the leader first, which may take it half a second. */
const askTimeoutMs = 3_000;

/** The leader answers after two election timeouts at the latest, which are 2 s unless configured. */
const transferTimeoutMs = 30_000;

export function hasAnswered(asked: Asked): asked is ClusterAnswer {
  return "cluster" in asked;
}

export async function askCluster(address: string): Promise<Asked> {
  const exchange = await exchangeJson({ address, path: "/cluster", timeoutMs: askTimeoutMs });
  if (exchange.kind === "unanswered") return { address, reason: exchange.reason };
  const { data: cluster } = clusterSchema.safeParse(exchange.body);
  if (exchange.status === 200 && cluster !== undefined) {
    return { address, cluster, json: exchange.body };
  }
  return { address, reason: whatElse(exchange, "GET /cluster") };
}

export function warnOf(asked: readonly Asked[], context: CliContext): void {
  for (const one of asked) {
    if (!hasAnswered(one)) context.warn(`evm: warning: ${one.address} ${one.reason}`);
  }
}

/** Of nodes none of which has answered. */
export function nobodyAnswers(asked: readonly Asked[]): CliError {
  const lines = asked.flatMap((one) => (hasAnswered(one) ? [] : [`${one.address} ${one.reason}`]));
  const sum = `none of ${lines.length} nodes tells of its cluster`;
  return unavailable((lines.length === 1 ? lines : [sum, ...lines]).join("\n  "));
}

/** null if it does not say. */
export async function askNodeId(address: string): Promise<string | null> {
  const exchange = await exchangeJson({ address, path: "/raft/node", timeoutMs: askTimeoutMs });
  if (exchange.kind === "unanswered" || exchange.status !== 200) return null;
  return raftNodeSchema.safeParse(exchange.body).data?.node_id ?? null;
}

/** Asks the leader at `address` to hand over; `targetId` null is the readiest member. */
export async function askTransfer(
  address: string,
  { targetId, token }: { readonly targetId: string | null; readonly token: string | null },
): Promise<Transfer> {
  const exchange = await exchangeJson({
    address,
    path: "/admin/transfer-leader",
    timeoutMs: transferTimeoutMs,
    body: { target_id: targetId },
    ...(token !== null && { token }),
  });
  if (exchange.kind === "unanswered") return exchange;
  const { data } = transferredSchema.safeParse(exchange.body);
  if (exchange.status === 200 && data !== undefined) {
    return { kind: "transferred", leaderId: data.leader_id };
  }
  const reason = whatElse(exchange, "POST /admin/transfer-leader");
  if (exchange.status === 401) return { kind: "unauthorized", reason };
  return { kind: exchange.status === 403 ? "forbidden" : "failed", reason };
}

/** Of an answer that is none: a node's own sentence if there is one. */
function whatElse(
  { status, body }: Extract<Exchange, { kind: "answered" }>,
  request: string,
): string {
  const refusal = refusalSchema.safeParse(body).data?.error;
  if (refusal !== undefined) return `answers ${refusal.code} (${status}): ${refusal.message}`;
  const form = body === undefined ? "no JSON" : "not what a node answers";
  return `answers ${request} with ${status} and ${form}: is this the rpc.address of a node?`;
}
