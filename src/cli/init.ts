/** `evm init`: a home directory with configuration, keys and genesis. Overwrites nothing. */

import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { equalBytes } from "../base/bytes.ts";
import { sha256 } from "../block/hash.ts";
import { printFlagHelp } from "../config/flag-help.ts";
import { resolveHome } from "../config/load.ts";
import { overridesFrom, printConfig } from "../config/print.ts";
import type { NodeConfig } from "../config/schema.ts";
import { type ResolvedSecret, requirePassphrase, resolvePassphrase } from "../config/secrets.ts";
import { existing, fieldError } from "../home/errors.ts";
import { newGenesis, readGenesis, writeGenesis } from "../home/genesis.ts";
import { type HomeLayout, homeLayout } from "../home/layout.ts";
import { createNodeKey } from "../home/node-key.ts";
import { writePrivateFile } from "../home/private-file.ts";
import { createSigner, openSigner, readSignerPublicKey } from "../home/signer-file.ts";
import { type CliContext, loadContextConfig, printWarnings } from "./context.ts";

/** ev-node's. */
const defaultChainId = "evolve-test";

export function registerInitCommand(program: Command, context: CliContext): void {
  program
    .command("init")
    .description("make a home directory: evnode.yaml, signer.json, node_key.json, genesis.json")
    .option("--chain_id <id>", "the chain that genesis.json begins", defaultChainId)
    .addHelpText("after", `\n${printFlagHelp()}`)
    .action(({ chain_id }: { chain_id: string }) => init(context, chain_id));
}

async function init(context: CliContext, chainId: string): Promise<void> {
  const layout = homeLayout(resolveHome({ ...context, home: context.flags.home }));
  // These two make a node this node. A signer or genesis that is there was put there to be shared.
  for (const path of [layout.configFile, layout.nodeKeyFile]) {
    if (existsSync(path)) throw existing(path);
  }
  const { config, warnings } = loadContextConfig(context);
  printWarnings(context, warnings);
  const passphrase = config.node.aggregator
    ? requirePassphrase(config, context.environment)
    : resolvePassphrase(config, context.environment);
  for (const warning of passphrase?.warnings ?? []) context.warn(`evm: warning: ${warning}`);
  const created: string[] = [];
  try {
    await makeHome({ context, layout, config, passphrase, chainId, created });
  } catch (error) {
    // Half a home would make the next attempt fail: what this one made goes again.
    for (const path of created) await rm(path, { force: true });
    throw error;
  }
}

interface Making {
  readonly context: CliContext;
  readonly layout: HomeLayout;
  readonly config: NodeConfig;
  readonly passphrase: ResolvedSecret | null;
  readonly chainId: string;
  /** Files made so far. */
  readonly created: string[];
}

async function makeHome(making: Making): Promise<void> {
  const { context, layout, config, created } = making;
  const signerFile = join(config.signer.signerPath, "signer.json");
  const publicKey = await makeSigner(signerFile, making);
  const genesis = await makeGenesis(publicKey, making);
  const { peerId } = await createNodeKey(layout.nodeKeyFile);
  created.push(layout.nodeKeyFile);
  const text = printConfig(overridesFrom(context.flags.settings, context.workingDirectory));
  await writePrivateFile(layout.configFile, text, { overwrite: false });
  created.push(layout.configFile);

  const note = (path: string) => (created.includes(path) ? "" : " (was there, and is kept)");
  context.print(`Successfully initialized config file at ${layout.configFile}`);
  context.print(`node key: ${layout.nodeKeyFile}`);
  if (publicKey !== null) context.print(`signer: ${signerFile}${note(signerFile)}`);
  if (genesis !== null) {
    context.print(`genesis: ${layout.genesisFile}${note(layout.genesisFile)}`);
    context.print(`chain_id: ${genesis}`);
  }
  context.print(`peer_id: ${peerId}`);
  const isFirst = created.includes(signerFile);
  context.print(nextSteps(config, { signerFile, layout, hasSigner: publicKey !== null, isFirst }));
}

/** The signer's public key; null for a node without a signer. */
async function makeSigner(
  path: string,
  { passphrase, created }: Making,
): Promise<Uint8Array | null> {
  if (existsSync(path)) {
    if (passphrase === null) return await readSignerPublicKey(path);
    return (await openSigner(path, passphrase.secret.reveal())).publicKey;
  }
  if (passphrase === null) return null;
  const { publicKey } = await createSigner(path, passphrase.secret.reveal());
  created.push(path);
  return publicKey;
}

/** The chain id; null if there is no genesis, and no signer to name in one. */
async function makeGenesis(publicKey: Uint8Array | null, making: Making): Promise<string | null> {
  const path = making.layout.genesisFile;
  if (existsSync(path)) {
    const { chainId, proposerAddress } = await readGenesis(path);
    if (publicKey === null || equalBytes(proposerAddress, sha256(publicKey))) return chainId;
    throw fieldError(
      path,
      "proposer_address",
      "proposer_address is not the address of signer.json. Copy both files from the same node",
    );
  }
  if (publicKey === null) return null;
  const startTimeNs = BigInt(Date.now()) * 1_000_000n;
  const proposerAddress = sha256(publicKey);
  await writeGenesis(path, newGenesis({ chainId: making.chainId, proposerAddress, startTimeNs }));
  making.created.push(path);
  return making.chainId;
}

function nextSteps(
  config: NodeConfig,
  facts: {
    readonly signerFile: string;
    readonly layout: HomeLayout;
    readonly hasSigner: boolean;
    /** Whether its signer is new, and not another member's. */
    readonly isFirst: boolean;
  },
): string {
  const { layout, signerFile, hasSigner, isFirst } = facts;
  const steps: string[] = [];
  if (!hasSigner) {
    steps.push(`copy signer.json and genesis.json from the first member to ${layout.configDir}`);
  } else if (isFirst) {
    steps.push(`copy ${signerFile} and ${layout.genesisFile} to the other members: all share them`);
  }
  steps.push(`set raft.node_id, raft.raft_addr, raft.peers and p2p.peers in ${layout.configFile}`);
  steps.push(`evm config check --home=${config.home}`, `evm start --home=${config.home}`);
  return ["next:", ...steps.map((step, at) => `  ${at + 1}. ${step}`)].join("\n");
}
