/** `evm init`: a home directory with configuration, keys and genesis. Overwrites nothing. */

import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { equalBytes } from "../base/bytes.ts";
import { sha256 } from "../block/hash.ts";
import { printFlagHelp } from "../config/flag-help.ts";
import { resolveHome } from "../config/load.ts";
import { overridesFrom, printConfig } from "../config/print.ts";
import type { NodeConfig } from "../config/schema.ts";
import { type ResolvedSecret, requirePassphrase, resolvePassphrase } from "../config/secrets.ts";
import { existing, fieldError } from "../home/errors.ts";
import { type EthereumGenesis, readEthereumGenesis } from "../home/ethereum-genesis.ts";
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
    .option("--chain_id <id>", `the chain that genesis.json begins (default ${defaultChainId})`)
    .option(
      "--evm.genesis <file>",
      "an Ethereum genesis: its chain is the one that genesis.json begins, and execution.type is engine",
    )
    .addHelpText("after", `\n${printFlagHelp()}`)
    .action((options: InitOptions) => init(context, options));
}

interface InitOptions {
  readonly chain_id?: string;
  readonly "evm.genesis"?: string;
}

async function init(context: CliContext, options: InitOptions): Promise<void> {
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
  const { chain_id: chainId = null, "evm.genesis": ethereumFile } = options;
  const ethereum =
    ethereumFile === undefined
      ? null
      : await readEthereumGenesis(resolve(context.workingDirectory, ethereumFile));
  const created: string[] = [];
  try {
    await makeHome({ context, layout, config, passphrase, chainId, ethereum, created });
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
  /** As it was asked for; null where it was not. */
  readonly chainId: string | null;
  /** null unless the chain executes in an Ethereum client. */
  readonly ethereum: EthereumGenesis | null;
  /** Files made so far. */
  readonly created: string[];
}

async function makeHome(making: Making): Promise<void> {
  const { context, layout, config, ethereum, created } = making;
  const signerFile = join(config.signer.signerPath, "signer.json");
  const publicKey = await makeSigner(signerFile, making);
  const genesis = await makeGenesis(publicKey, making);
  const { peerId } = await createNodeKey(layout.nodeKeyFile);
  created.push(layout.nodeKeyFile);
  const overrides = overridesFrom(context.flags.settings, context.workingDirectory);
  const settings = new Map([...(ethereum === null ? [] : [engine]), ...overrides]);
  const text = printConfig(settings);
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
  const hasSigner = publicKey !== null;
  const hasClient = ethereum !== null;
  context.print(nextSteps(config, { signerFile, layout, hasSigner, isFirst, hasClient }));
}

const engine = ["execution.type", "engine"] as const;

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
  const { ethereum } = making;
  const chainId = making.chainId ?? ethereum?.chainId ?? defaultChainId;
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  // A client takes no block that is not later than its genesis, in seconds.
  const earliestNs = ethereum === null ? 0n : ethereum.timeNs + 1_000_000_000n;
  const startTimeNs = nowNs > earliestNs ? nowNs : earliestNs;
  const proposerAddress = sha256(publicKey);
  await writeGenesis(path, newGenesis({ chainId, proposerAddress, startTimeNs }));
  making.created.push(path);
  return chainId;
}

function nextSteps(
  config: NodeConfig,
  facts: {
    readonly signerFile: string;
    readonly layout: HomeLayout;
    readonly hasSigner: boolean;
    /** Whether its signer is new, and not another member's. */
    readonly isFirst: boolean;
    /** Whether the chain executes in an Ethereum client. */
    readonly hasClient: boolean;
  },
): string {
  const { layout, signerFile, hasSigner, isFirst, hasClient } = facts;
  const steps: string[] = [];
  if (!hasSigner) {
    steps.push(`copy signer.json and genesis.json from the first member to ${layout.configDir}`);
  } else if (isFirst) {
    steps.push(`copy ${signerFile} and ${layout.genesisFile} to the other members: all share them`);
  }
  steps.push(`set raft.node_id, raft.raft_addr, raft.peers and p2p.peers in ${layout.configFile}`);
  if (hasClient) {
    steps.push(
      "initialise this node's execution client with the same genesis, and set evm.jwt_secret_file, " +
        `and evm.genesis_hash to the hash of its block 0, in ${layout.configFile}`,
    );
  }
  steps.push(`evm config check --home=${config.home}`, `evm start --home=${config.home}`);
  return ["next:", ...steps.map((step, at) => `  ${at + 1}. ${step}`)].join("\n");
}
