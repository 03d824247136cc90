/** What the node is: its data, its blocks, its signer. */

import {
  bool,
  duration,
  fraction,
  ignored,
  listenAddress,
  oneOf,
  optionalPath,
  path,
  secret,
  text,
  whole,
} from "../key.ts";

export const baseKeys = {
  db_path: path("data", "Block database; relative to the home directory."),
  clear_cache: ignored(bool(false, "ev-node's cache switch."), null),
  force_inclusion_server: ignored(
    text("", "ev-node's listener for forced inclusion."),
    "no listener is opened, since blocks are not posted to a DA layer",
  ),
};

export const nodeKeys = {
  aggregator: bool(false, "Produce blocks: alone, or as a member of a cluster with raft.enable."),
  block_time: duration("1s", "Time from one block to the next."),
  lazy_mode: bool(
    false,
    "Produce a block only when transactions wait, or lazy_block_interval passed.",
  ),
  lazy_block_interval: duration(
    "60s",
    "In lazy mode, the longest time without a block. Longer than node.block_time.",
  ),
  scrape_interval: ignored(
    duration("1s", "ev-node's wait between two questions for the execution client's transactions."),
    "the execution client is asked for transactions when a block is built",
  ),
  readiness_window_seconds: whole(
    15,
    "A node that has not executed a block for this long reports itself not ready.",
  ),
  readiness_max_blocks_behind: whole(
    15,
    "A node that has more committed blocks than this still to apply reports itself not ready.",
  ),
  promotable: ignored(
    bool(false, "ev-node's hand-over without Raft."),
    "who produces blocks is decided by Raft; set raft.enable",
  ),
  based_sequencer: ignored(
    bool(false, "ev-node's sequencing by the DA layer."),
    "blocks are built from this cluster's transactions",
  ),
  light: ignored(bool(false, "ev-node's headers-only node."), "the node keeps whole blocks"),
  catchup_timeout: ignored(
    duration("0s", "ev-node's wait for the DA layer before producing."),
    "a node catches up from its peers before it leads, however long that takes",
  ),
  max_pending_headers_and_data: ignored(
    whole(0, "ev-node's limit of blocks not yet on the DA layer."),
    "production never pauses for a DA layer",
  ),
};

export const signerKeys = {
  signer_type: oneOf(
    ["file", "kms"],
    "file",
    "Where the block signing key is: file (signer.json). kms is not implemented.",
  ),
  signer_path: path("config", "Directory of signer.json; relative to the home directory."),
  passphrase_file: optionalPath(
    "File with the signer's passphrase, mode 0600. Or set EV_SIGNER_PASSPHRASE, or give a systemd " +
      "credential named signer-passphrase.",
    { example: "/etc/ev-node/passphrase" },
  ),
  passphrase: secret(
    "The signer's passphrase itself. Others can read a command line: prefer the ways above.",
    { isFlagOnly: true },
  ),
  "kms.provider": ignored(text("", "Key service of ev-node: aws or gcp."), signerInstead()),
  "kms.aws.key_id": ignored(text("", "AWS KMS key."), signerInstead()),
  "kms.aws.region": ignored(text("", "AWS KMS region."), signerInstead()),
  "kms.aws.profile": ignored(text("", "AWS KMS profile."), signerInstead()),
  "kms.aws.timeout": ignored(duration("10s", "AWS KMS request timeout."), signerInstead()),
  "kms.aws.max_retries": ignored(whole(3, "AWS KMS retries."), signerInstead()),
  "kms.gcp.key_name": ignored(text("", "GCP KMS key."), signerInstead()),
  "kms.gcp.credentials_file": ignored(text("", "GCP KMS credentials."), signerInstead()),
  "kms.gcp.timeout": ignored(duration("10s", "GCP KMS request timeout."), signerInstead()),
  "kms.gcp.max_retries": ignored(whole(3, "GCP KMS retries."), signerInstead()),
};

function signerInstead(): string {
  return "blocks are signed with the key in signer.json";
}

export const pruningKeys = {
  pruning_mode: oneOf(
    ["disabled", "all", "metadata"],
    "disabled",
    "all removes old blocks. disabled keeps every block, and so does metadata: what ev-node removes " +
      "then, its records of how blocks were executed and posted, is not kept here in the first place.",
  ),
  pruning_keep_recent: whole(
    100000,
    "Blocks that stay below the head; more while the Raft log, a snapshot or the execution client needs " +
      "them. A node that was away longer than its peers keep blocks cannot catch up from them.",
  ),
  pruning_interval: duration("15m", "Time between two prunings; the first is at the start."),
};

export const logKeys = {
  level: oneOf(["debug", "info", "warn", "error"], "info", "The least severe messages to log.", {
    trace: "debug",
    warning: "warn",
    fatal: "error",
    panic: "error",
    disabled: "error",
  }),
  format: oneOf(["text", "json"], "text", "Text for people, or one JSON object a line."),
  file: optionalPath(
    "Log here instead of standard output; reopened on SIGHUP and SIGUSR2, for logrotate.",
    {
      example: "/var/log/ev-sequencer/node.log",
    },
  ),
  trace: ignored(bool(false, "ev-node's stack traces in errors."), null),
};

export const instrumentationKeys = {
  prometheus: bool(false, "Serve metrics under /metrics.", { aliases: ["metrics.enabled"] }),
  prometheus_listen_addr: listenAddress(":26660", "Where metrics are served."),
  max_open_connections: whole(3, "Concurrent scrapes; 0 for no limit."),
  namespace: text("evnode", "First part of every metric's name."),
  pprof: ignored(bool(false, "Go profiles."), "start with node --inspect for a profile"),
  pprof_listen_addr: ignored(listenAddress(":6060", "Where Go profiles are served."), null),
  tracing: ignored(bool(false, "OpenTelemetry traces."), "no traces are exported"),
  tracing_endpoint: ignored(text("localhost:4318", "Trace collector."), null),
  tracing_service_name: ignored(text("ev-node", "Service name in traces."), null),
  tracing_sample_rate: ignored(fraction(0.1, "Share of traces kept."), null),
};
