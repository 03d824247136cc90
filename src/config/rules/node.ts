/** Which modes go together, and bounds that depend on another setting. */

import { blockTransactionsMaxBytes } from "../../base/limits.ts";
import { formatDuration, parseDuration } from "../duration.ts";
import { type Finding, finding, type Rule, type RuleContext } from "./rule.ts";

export const nodeRules: readonly Rule[] = [
  checkRole,
  checkDirectories,
  checkBlockTimes,
  checkPruning,
  checkQueue,
  checkSigner,
  checkExecution,
];

function checkRole({ config, text }: RuleContext): readonly Finding[] {
  const isOn = (name: string) => /^(1|t|true)$/i.test(text(name));
  const findings: Finding[] = [];
  const refuse = (keys: Finding["keys"], message: string) =>
    findings.push(finding("error", keys, message));
  const { aggregator } = config.node;
  if (config.raft.enable && !aggregator) {
    refuse(
      ["node.aggregator", "raft.enable"],
      "raft config must be used in sequencer setup only: raft.enable is true and node.aggregator is " +
        "false; set node.aggregator: true on every member",
    );
  }
  if (isOn("node.promotable")) {
    const others = [
      ["node.based_sequencer", "based sequencer mode"],
      ["node.light", "light node mode"],
      ["raft.enable", "Raft consensus"],
    ] as const;
    for (const [name, words] of others) {
      const message = `promotable mode cannot be combined with ${words}; remove node.promotable`;
      if (isOn(name)) refuse(["node.promotable", name], message);
    }
  }
  if (isOn("node.based_sequencer") && !aggregator) {
    refuse(
      ["node.based_sequencer", "node.aggregator"],
      "based sequencer mode requires aggregator mode to be enabled; remove node.based_sequencer",
    );
  }
  const catchup = parseDuration(text("node.catchup_timeout"));
  if (catchup.ok && catchup.value > 0 && config.raft.enable) {
    refuse(
      ["node.catchup_timeout", "raft.enable"],
      "catchup timeout and Raft consensus are mutually exclusive; disable one of them",
    );
  } else if (catchup.ok && catchup.value > 0 && !aggregator) {
    refuse(
      ["node.catchup_timeout", "node.aggregator"],
      "catchup timeout requires aggregator mode to be enabled; remove node.catchup_timeout",
    );
  }
  return findings;
}

/** Each directory is locked by whoever opens it: for the other one it would be in use, by this very process. */
function checkDirectories({ config: { raft, dbPath } }: RuleContext): readonly Finding[] {
  if (!raft.enable || raft.raftDir !== dbPath) return [];
  const message = `is the same directory as db_path (${dbPath}); give each one of its own`;
  return [finding("error", ["raft.raft_dir", "db_path"], message)];
}

function checkBlockTimes({ config: { node } }: RuleContext): readonly Finding[] {
  if (node.blockTimeMs <= 0) {
    return [finding("error", ["node.block_time"], "must be positive; write a time such as 1s")];
  }
  if (!node.lazyMode || node.lazyBlockIntervalMs > node.blockTimeMs) return [];
  const message =
    `LazyBlockInterval (${formatDuration(node.lazyBlockIntervalMs)}) must be greater than BlockTime ` +
    `(${formatDuration(node.blockTimeMs)}) in lazy mode; raise node.lazy_block_interval`;
  return [finding("error", ["node.lazy_block_interval", "node.block_time"], message)];
}

/** ev-node's rules and words. */
function checkPruning({ config: { pruning, node } }: RuleContext): readonly Finding[] {
  if (pruning.pruningMode === "disabled") return [];
  const findings: Finding[] = [];
  const key = "pruning.pruning_interval";
  if (pruning.pruningIntervalMs < 1000) {
    findings.push(
      finding("error", [key], "pruning_interval must be >= 1s when pruning is enabled"),
    );
  } else if (pruning.pruningIntervalMs < node.blockTimeMs) {
    const message =
      `pruning_interval (${formatDuration(pruning.pruningIntervalMs)}) must be greater than or equal to ` +
      `block time (${formatDuration(node.blockTimeMs)}); raise it`;
    findings.push(finding("error", [key, "node.block_time"], message));
  }
  if (pruning.pruningKeepRecent === 0) {
    const message =
      "pruning_keep_recent must be > 0 when pruning is enabled; set pruning_mode: disabled to keep all";
    findings.push(finding("error", ["pruning.pruning_keep_recent"], message));
  }
  return findings;
}

function checkQueue({ config: { rpc } }: RuleContext): readonly Finding[] {
  if (rpc.txMaxBytes > blockTransactionsMaxBytes) {
    const message =
      `${rpc.txMaxBytes} bytes do not fit into a block, which holds ${blockTransactionsMaxBytes} bytes ` +
      "of transactions; write 5MiB or less";
    return [finding("error", ["rpc.tx_max_bytes"], message)];
  }
  if (rpc.txMaxBytes < 1) {
    return [
      finding("error", ["rpc.tx_max_bytes"], "lets no transaction pass; write a size such as 1MiB"),
    ];
  }
  if (rpc.queueMaxBytes >= rpc.txMaxBytes) return [];
  const message = `is less than one transaction may have, rpc.tx_max_bytes (${rpc.txMaxBytes} bytes); raise it`;
  return [finding("error", ["rpc.queue_max_bytes", "rpc.tx_max_bytes"], message)];
}

function checkSigner({ config: { signer } }: RuleContext): readonly Finding[] {
  if (signer.signerType === "file") return [];
  const message =
    "kms is a signer of ev-node that is not implemented here; write signer_type: file and keep the key " +
    "in signer.json";
  return [finding("error", ["signer.signer_type"], message)];
}

function checkExecution({ config, isSet }: RuleContext): readonly Finding[] {
  const { evm } = config;
  const findings: Finding[] = [];
  if (config.execution.type === "kv" && isSet("evm.engine_url")) {
    const message = "does nothing with execution.type: kv; write engine, or remove the evm keys";
    findings.push(finding("warning", ["evm.engine_url", "execution.type"], message));
  }
  for (const [name, url] of [
    ["evm.eth_url", evm.ethUrl],
    ["evm.engine_url", evm.engineUrl],
  ] as const) {
    if (URL.canParse(url) && /^https?:\/\//i.test(url)) continue;
    findings.push(finding("error", [name], `"${url}" is no HTTP URL; write http://HOST:PORT`));
  }
  if (config.execution.type === "engine" && config.pruning.pruningMode === "all") {
    const message =
      "cannot be all with an execution client: one that is killed or wiped gets the blocks that it " +
      "lost from here; write disabled";
    findings.push(finding("error", ["pruning.pruning_mode", "execution.type"], message));
  }
  const hex = [
    ["evm.genesis_hash", evm.genesisHash, 32],
    ["evm.fee_recipient", evm.feeRecipient, 20],
  ] as const;
  for (const [name, value, bytes] of hex) {
    if (value === null || new RegExp(`^(0x)?[0-9a-fA-F]{${bytes * 2}}$`).test(value)) continue;
    const message = `"${value}" is not ${bytes} bytes in hexadecimal; write 0x and ${bytes * 2} digits`;
    findings.push(finding("error", [name], message));
  }
  return findings;
}
