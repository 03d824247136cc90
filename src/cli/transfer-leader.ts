/** `evm cluster transfer-leader`: finds the leader among the nodes given, and lets it hand over. */

import { resolve } from "node:path";
import { unreachable } from "../base/assert.ts";
import { type ResolvedSecret, resolveAdminToken } from "../config/secrets.ts";
import {
  askCluster,
  askNodeId,
  askTransfer,
  type Cluster,
  hasAnswered,
  nobodyAnswers,
  type Transfer,
  warnOf,
} from "./ask-cluster.ts";
import { latestView } from "./cluster-text.ts";
import { type CliContext, loadContextConfig } from "./context.ts";
import { CliError, unavailable, usageError } from "./errors.ts";
import type { OutputFlags } from "./output-option.ts";
import { addressesOf, type RpcFlags } from "./rpc-option.ts";

export interface TransferFlags extends RpcFlags, OutputFlags {
  readonly tokenFile?: string;
}

interface Leader {
  readonly id: string;
  /** Where it answers HTTP. */
  readonly address: string;
}

/** `targetId` null: the readiest member. Throws CliError unless another leads at the end, or the target did already. */
export async function transferLeader(
  context: CliContext,
  targetId: string | null,
  flags: TransferFlags,
): Promise<void> {
  const token = adminToken(context, flags);
  const { cluster, leader } = await findLeader(context, addressesOf(context, flags));
  const tell = (leaderId: string, text: string) =>
    context.print(
      flags.output === "json"
        ? JSON.stringify({ leaderId, formerLeaderId: leader.id }, null, 2)
        : text,
    );
  if (targetId === leader.id) return tell(leader.id, `${leader.id} leads already`);
  checkTarget(cluster, targetId);
  const secret = token?.secret.reveal() ?? null;
  const transfer = await askTransfer(leader.address, { targetId, token: secret });
  const leaderId = newLeader(transfer, leader, token);
  if (targetId !== null && leaderId !== targetId) {
    throw unavailable(
      `${leaderId} leads now, not ${targetId}: it was elected meanwhile. Run the command again`,
    );
  }
  tell(leaderId, `${leaderId} leads now; before it was ${leader.id}`);
}

/** A file that is named counts alone; without one the token is that of this home, if it has any. */
function adminToken(context: CliContext, { tokenFile }: TransferFlags): ResolvedSecret | null {
  const token =
    tokenFile === undefined
      ? resolveAdminToken(loadContextConfig(context).config, context.environment)
      : resolveAdminToken(tokenOf(resolve(context.workingDirectory, tokenFile)), {});
  for (const warning of token?.warnings ?? []) context.warn(`evm: warning: ${warning}`);
  // Another could not be sent, and the error about it would show it.
  if (token === null || /^[\x20-\x7e]+$/.test(token.secret.reveal())) return token;
  throw new CliError(
    { code: "CLI_UNAUTHORIZED" },
    `the admin token of ${token.source} is no line of ASCII, as an HTTP header wants it: is it the right file?`,
  );
}

function tokenOf(adminTokenFile: string) {
  return { rpc: { adminTokenFile, adminToken: null } };
}

async function findLeader(
  context: CliContext,
  addresses: readonly string[],
): Promise<{ readonly cluster: Cluster; readonly leader: Leader }> {
  const [asked, ids] = await Promise.all([
    Promise.all(addresses.map(askCluster)),
    Promise.all(addresses.map(askNodeId)),
  ]);
  const [first, ...others] = asked.filter(hasAnswered);
  if (first === undefined) throw nobodyAnswers(asked);
  const { cluster } = latestView([first, ...others]);
  const { leaderId: id } = cluster;
  const address = addresses[ids.indexOf(id)];
  if (id !== null && address !== undefined) return { cluster, leader: { id, address } };
  warnOf(asked, context);
  if (id === null) {
    throw unavailable("no leader is known, so that nobody can hand over: a majority must run");
  }
  const raftAddress = cluster.nodes.find((node) => node.id === id)?.address;
  const host = raftAddress === undefined ? "" : `, whose Raft address is ${raftAddress}`;
  throw unavailable(
    `${id} leads${host}, and is none of the nodes asked: add its rpc.address to --rpc`,
  );
}

/** Of what cannot end well nothing is begun: the leader takes no transactions while it hands over. */
function checkTarget({ nodes }: Cluster, targetId: string | null): void {
  if (nodes.length <= 1) throw unavailable("the cluster has one member: nobody else can lead");
  if (targetId === null) return;
  const target = nodes.find(({ id }) => id === targetId);
  if (target === undefined) {
    const members = nodes.map(({ id }) => id).join(", ");
    throw usageError(`${targetId} is no member; the members are ${members}`);
  }
  if (target.health === "Unreachable") {
    throw unavailable(
      `${targetId} is Unreachable and could not lead; evm cluster members shows who could`,
    );
  }
}

function newLeader(
  transfer: Transfer,
  { id, address }: Leader,
  token: ResolvedSecret | null,
): string {
  switch (transfer.kind) {
    case "transferred":
      return transfer.leaderId;
    case "unauthorized": {
      const advice =
        token === null
          ? "Give the token with --token-file"
          : `The token of ${token.source} is another`;
      throw unauthorized(`${id} at ${address} ${transfer.reason} ${advice}`);
    }
    case "forbidden":
      throw unauthorized(`${id} at ${address} ${transfer.reason}`);
    case "failed":
      throw unavailable(`${id} at ${address} ${transfer.reason}`);
    case "unanswered":
      throw unavailable(
        `evm cluster status shows whether another leads: ${id} at ${address} ${transfer.reason}`,
      );
    default:
      return unreachable(transfer);
  }
}

function unauthorized(message: string): CliError {
  return new CliError({ code: "CLI_UNAUTHORIZED" }, message);
}
