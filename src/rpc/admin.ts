/** `POST /admin/...`: what an operator does to a running node. Guarded (access.ts). */

import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { ServerId } from "../raft/types.ts";
import type { AdminGuard } from "./access.ts";
import { json, type Route } from "./answer.ts";
import type { NodeApi } from "./api.ts";
import { bodyBytes, decode, decodeJson } from "./decode.ts";
import { Refusal, sentence } from "./errors.ts";
import type { RpcLogger } from "./options.ts";

export const transferSchema = z.strictObject({
  target_id: z
    .string({ error: "must be the node_id of a member" })
    .min(1, { error: "must not be empty" })
    .nullable()
    .default(null),
});

/** Hands leadership to `targetId`, or to the readiest peer; resolves to the new leader. */
export type TransferLeadership = (
  request: FastifyRequest,
  targetId: ServerId | null,
) => Promise<ServerId>;

export function adminRoutes(transferLeadership: TransferLeadership): readonly Route[] {
  return [
    {
      method: "POST",
      path: "/admin/transfer-leader",
      summary: 'Hands leadership over; {"target_id":"node-2"} or an empty body for the readiest',
      handle: async (request) => {
        const body = bodyBytes(request.body);
        const fields = body.length === 0 ? {} : decodeJson(body);
        const { target_id } = decode(transferSchema, fields, "body");
        return json({ leader_id: await transferLeadership(request, target_id) });
      },
    },
  ];
}

export function createTransferLeadership(
  api: NodeApi,
  guard: AdminGuard,
  log: RpcLogger,
): TransferLeadership {
  return async (request, targetId) => {
    guard(request);
    log.info({ client: request.ip, targetId }, "leadership transfer requested");
    const outcome = await api.transferLeadership(targetId);
    switch (outcome.kind) {
      case "transferred":
        return outcome.leaderId;
      case "notLeader":
        throw new Refusal(
          { code: "NOT_LEADER", leader_id: outcome.leaderId },
          outcome.leaderId === null
            ? "This node does not lead, and knows no leader. Ask again once one is elected."
            : `This node does not lead. Send the request to ${outcome.leaderId}.`,
        );
      case "failed":
        throw new Refusal(
          { code: "TRANSFER_FAILED" },
          `${sentence(outcome.reason)} Leadership stays where it was; GET /cluster shows which members are healthy.`,
        );
    }
  };
}
