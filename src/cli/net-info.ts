/** `evm net-info`: who this node is to its peers, from its key; and of a running node, whom it sees. */

import type { Command } from "commander";
import { resolveHome } from "../config/load.ts";
import { ConfigError } from "../config/problem.ts";
import type { NodeConfig } from "../config/schema.ts";
import { homeLayout } from "../home/layout.ts";
import { readNodeKey } from "../home/node-key.ts";
import { askNode, type LiveNode } from "./ask-node.ts";
import { type CliContext, loadContextConfig } from "./context.ts";
import { localAddress } from "./local-address.ts";
import { type OutputFlags, outputOption } from "./output-option.ts";

export function registerNetInfoCommand(program: Command, context: CliContext): void {
  program
    .command("net-info")
    .description(
      "print peer_id, also before the first start; of a running node, addresses and peers",
    )
    .addOption(outputOption())
    .action(({ output }: OutputFlags) => netInfo(context, output === "json"));
}

async function netInfo(context: CliContext, asJson: boolean): Promise<void> {
  const home = resolveHome({ ...context, home: context.flags.home });
  const { peerId } = await readNodeKey(homeLayout(home).nodeKeyFile);
  const config = configOrNull(context);
  const address = config === null ? null : localAddress(config.rpc.address);
  const live = address === null ? null : await askNode(address, peerId);
  const configured = config?.p2p.listenAddress ?? "";
  const listenAddresses = live?.listenAddresses ?? (configured === "" ? [] : [configured]);
  const info = {
    peer_id: peerId,
    // ev-node calls the libp2p id so.
    node_id: peerId,
    raft_node_id: config?.raft.nodeId || null,
    is_running: live !== null,
    listen_addresses: listenAddresses.map((listen) => withPeerId(listen, peerId)),
    peers: live?.peers ?? [],
  };
  context.print(asJson ? JSON.stringify(info, null, 2) : formatText(info, { address, live }));
}

/** A node's identity does not depend on its configuration: a broken one is only mentioned. */
function configOrNull(context: CliContext): NodeConfig | null {
  try {
    return loadContextConfig(context).config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    context.warn(`evm: warning: ${error.message}`);
    return null;
  }
}

function withPeerId(address: string, peerId: string): string {
  return address.startsWith("/") && !address.includes("/p2p/")
    ? `${address}/p2p/${peerId}`
    : address;
}

function formatText(
  info: { peer_id: string; raft_node_id: string | null; listen_addresses: readonly string[] },
  { address, live }: { readonly address: string | null; readonly live: LiveNode | null },
): string {
  const lines = [`peer_id: ${info.peer_id}`];
  if (info.raft_node_id !== null) lines.push(`raft node_id: ${info.raft_node_id}`);
  for (const listen of info.listen_addresses) lines.push(`listen address: ${listen}`);
  if (live === null) {
    lines.push(
      `node: not running${address === null ? "" : ` (nobody answers for it on ${address})`}`,
    );
    return lines.join("\n");
  }
  lines.push(`node: running, height ${live.height}`, `connected peers: ${live.peers.length}`);
  for (const peer of live.peers) lines.push(`  ${peer.id}  ${peer.address}  ${peer.direction}`);
  return lines.join("\n");
}
