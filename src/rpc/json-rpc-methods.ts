/** What can be called by JSON-RPC: CometBFT's names and shapes, and the admin namespace. */

import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { type TransferLeadership, transferSchema } from "./admin.ts";
import type { ClientSignal } from "./answer.ts";
import type { NodeApi } from "./api.ts";
import { blockAt, parseHeight } from "./block.ts";
import { cometBlock } from "./comet-block.ts";
import { broadcastTxCommit, broadcastTxSync, unlessInvalid } from "./comet-tx.ts";
import { decode } from "./decode.ts";
import { fromBase64 } from "./encoding.ts";
import { badRequest } from "./errors.ts";
import { netInfoResult } from "./net-info.ts";
import type { StatusResult } from "./status.ts";
import type { Submit } from "./submission.ts";
import { idempotencyKeySchema } from "./tx.ts";

export interface Method {
  /** In a batch these wait together. */
  readonly waitsForCommit: boolean;
  readonly run: (params: unknown, request: FastifyRequest) => Promise<unknown>;
}

export type MethodTable = ReadonlyMap<string, Method>;

export interface MethodDependencies {
  readonly api: NodeApi;
  readonly submit: Submit;
  readonly clientSignal: ClientSignal;
  readonly statusResult: StatusResult;
  readonly transferLeadership: TransferLeadership;
}

const noParams = z.object({});

/** A number, or CometBFT's number in a string; none is the latest. */
const blockParams = z.strictObject({
  height: z
    .union([z.number(), z.string()], { error: "must be a number, or a number in a string" })
    .nullish(),
});

const txParams = z.strictObject({
  tx: z.string({ error: "must be base64 of the transaction's bytes" }),
  idempotency_key: idempotencyKeySchema.nullable().default(null),
});

export function createMethods(dependencies: MethodDependencies): MethodTable {
  const { api, statusResult, transferLeadership } = dependencies;
  return new Map<string, Method>([
    ["status", method(noParams, [], async () => statusResult(await api.status()))],
    ["net_info", method(noParams, [], async () => netInfoResult(await api.network()))],
    ["health", method(noParams, [], async () => ({}))],
    [
      "block",
      method(blockParams, ["height"], async ({ height }) => {
        const wanted = parseHeight(String(height ?? "latest"));
        return cometBlock(api.blocks, blockAt(api.blocks, wanted));
      }),
    ],
    ["broadcast_tx_commit", broadcast(dependencies, "commit")],
    ["broadcast_tx_sync", broadcast(dependencies, "accept")],
    [
      "admin_transferLeader",
      method(transferSchema, ["target_id"], async ({ target_id }, request) => ({
        leader_id: await transferLeadership(request, target_id),
      })),
    ],
  ]);
}

function broadcast(
  { submit, clientSignal }: MethodDependencies,
  wait: "commit" | "accept",
): Method {
  const run = async (params: z.infer<typeof txParams>, request: FastifyRequest) => {
    const tx = fromBase64(params.tx);
    if (tx === null || tx.length === 0) {
      throw badRequest("`tx` must be the transaction's bytes in standard base64.");
    }
    const { idempotency_key: idempotencyKey } = params;
    const signal = clientSignal(request);
    const outcome = await unlessInvalid(submit({ tx, idempotencyKey, wait, signal }));
    return wait === "commit" ? broadcastTxCommit(tx, outcome) : broadcastTxSync(tx, outcome);
  };
  return { ...method(txParams, ["tx"], run), waitsForCommit: true };
}

/** `names` gives positional params their names. */
function method<Params>(
  schema: z.ZodType<Params>,
  names: readonly string[],
  run: (params: Params, request: FastifyRequest) => Promise<unknown>,
): Method {
  return {
    waitsForCommit: false,
    run: (params, request) => run(decode(schema, named(params, names), "params"), request),
  };
}

function named(params: unknown, names: readonly string[]): unknown {
  if (params === undefined || params === null) return {};
  if (!Array.isArray(params)) return params;
  if (params.length > names.length) {
    throw badRequest(`At most ${names.length} params are taken: ${names.join(", ")}.`);
  }
  return Object.fromEntries(params.map((value: unknown, at) => [names[at], value]));
}
