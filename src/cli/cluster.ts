/** `evm cluster`: how a running cluster is, who is in it, and a new leader for it; asked over HTTP. */

import type { Command } from "commander";
import {
  askCluster,
  type ClusterAnswer,
  hasAnswered,
  nobodyAnswers,
  type Silence,
  warnOf,
} from "./ask-cluster.ts";
import { formatMembers, formatSum, latestView, sumUp } from "./cluster-text.ts";
import type { CliContext } from "./context.ts";
import { unavailable } from "./errors.ts";
import { type OutputFlags, outputOption } from "./output-option.ts";
import { addressesOf, type RpcFlags, rpcOption } from "./rpc-option.ts";
import { type TransferFlags, transferLeader } from "./transfer-leader.ts";

type Flags = RpcFlags & OutputFlags;

export function registerClusterCommand(program: Command, context: CliContext): void {
  const cluster = program
    .command("cluster")
    .description("show a running cluster and its members, or hand leadership over");
  const ask = (name: string) =>
    cluster.command(name).addOption(rpcOption()).addOption(outputOption());
  ask("status")
    .description("leader, term, health and what may still fail, by all nodes given")
    .addHelpText("after", "\nExit code 69 says that no leader or no healthy majority was found.")
    .action((flags: Flags) => printStatus(context, flags));
  ask("members")
    .description("a table of the members, by the first node that answers")
    .action((flags: Flags) => printMembers(context, flags));
  ask("transfer-leader")
    .argument("[node-id]", "who is to lead; without it the readiest member")
    .option("--token-file <file>", "the admin token (default: as this home's rpc.admin_token_file)")
    .description("let the leader hand over, and wait until another leads")
    .addHelpText(
      "after",
      "\n--rpc must name the leader's node among others. Without a token it answers on its own machine only.",
    )
    .action((targetId: string | undefined, flags: TransferFlags) =>
      transferLeader(context, targetId ?? null, flags),
    );
}

async function printStatus(context: CliContext, flags: Flags): Promise<void> {
  const asked = await Promise.all(addressesOf(context, flags).map(askCluster));
  const [first, ...others] = asked.filter(hasAnswered);
  if (first === undefined) throw nobodyAnswers(asked);
  const sum = sumUp(asked, latestView([first, ...others]));
  context.print(flags.output === "json" ? JSON.stringify(sum, null, 2) : formatSum(sum));
  const { leaderId, healthy, majority } = sum;
  if (leaderId === null) {
    throw unavailable("no leader is known: blocks stop until a majority elects one");
  }
  if (healthy < majority) {
    throw unavailable(`too few healthy members: ${healthy}, and a majority is ${majority}`);
  }
}

async function printMembers(context: CliContext, flags: Flags): Promise<void> {
  const { cluster, json } = await firstAnswer(context, addressesOf(context, flags));
  const asJson = flags.output === "json";
  context.print(asJson ? JSON.stringify(json, null, 2) : formatMembers(cluster.nodes));
}

/** Asks one after the other, and warns of those that do not answer. */
async function firstAnswer(
  context: CliContext,
  addresses: readonly string[],
): Promise<ClusterAnswer> {
  const silences: Silence[] = [];
  for (const address of addresses) {
    const asked = await askCluster(address);
    if (!hasAnswered(asked)) {
      silences.push(asked);
      continue;
    }
    warnOf(silences, context);
    return asked;
  }
  throw nobodyAnswers(silences);
}
