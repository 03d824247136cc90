/** `evm devnet`: a cluster on this machine, to try and to watch. */

import { resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { parseDuration } from "../config/duration.ts";
import { type DevnetOptions, runDevnet } from "../devnet/devnet.ts";
import { Screen, type Terminal } from "../devnet/screen.ts";
import type { CliContext } from "./context.ts";
import { usageError } from "./errors.ts";
import { onStopSignal } from "./signals.ts";

const defaultDirectory = ".devnet";

const nodeCounts = [1, 3, 5, 7];
const blockTimeMinMs = 10;
const blockTimeMaxMs = 3_600_000;
const killIntervalMinMs = 1_000;
/** What one timer can count. */
const durationMaxMs = 24 * 24 * 3_600_000;
const txPerSecondMax = 10_000;

/** A node's own: the devnet decides them. */
const keysOfOneNode: ReadonlySet<string> = new Set([
  "raft.node_id",
  "raft.raft_addr",
  "raft.raft_dir",
  "raft.peers",
  "raft.enable",
  "raft.advertise_addr",
  "node.aggregator",
  "node.block_time",
  "rpc.address",
  "p2p.listen_address",
  "instrumentation.prometheus_listen_addr",
  "db_path",
]);

interface Flags {
  readonly nodes: number;
  readonly blockTime: number;
  readonly load: number;
  readonly killLeaderEvery?: number;
  readonly duration?: number;
  readonly dir: string;
}

export function registerDevnetCommand(program: Command, context: CliContext): void {
  program
    .command("devnet")
    .description("run a cluster on this machine: real processes on loopback, with a live table")
    .option("--nodes <count>", "1, 3, 5 or 7", parseNodeCount, 3)
    .option("--block-time <duration>", "from one block to the next (default: 1s)", (text) =>
      parseBetween(text, blockTimeMinMs, blockTimeMaxMs, "10ms to 1h"),
    )
    .option("--load <tx/s>", "transactions to send, a second", parseLoad, 0)
    .option("--kill-leader-every <duration>", "kill -9 the leader, and measure the gap", (text) =>
      parseBetween(text, killIntervalMinMs, durationMaxMs, "1s to 576h"),
    )
    .option("--duration <duration>", "end by itself, so long after the first block", (text) =>
      parseBetween(text, 1, durationMaxMs, "1ms to 576h"),
    )
    .option("--dir <directory>", "where the homes are; those of the last run go", defaultDirectory)
    .addHelpText(
      "after",
      "\n--evnode.KEY=VALUE sets a key on all nodes. At the end the chains of all nodes are compared;\n" +
        "exit code 70 says that they differ, that a transaction was lost or that a node failed.",
    )
    .action((flags: Omit<Flags, "blockTime"> & Partial<Flags>) =>
      devnet(context, { blockTime: 1_000, ...flags }),
    );
}

async function devnet(context: CliContext, flags: Flags): Promise<void> {
  const options: DevnetOptions = {
    directory: resolve(context.workingDirectory, flags.dir),
    nodeCount: flags.nodes,
    blockTimeMs: flags.blockTime,
    txPerSecond: flags.load,
    killIntervalMs: flags.killLeaderEvery ?? null,
    durationMs: flags.duration ?? null,
    settings: settingsOf(context),
  };
  const stop = new AbortController();
  // Of a process that exits at once the guard kills the nodes.
  onStopSignal(["SIGINT", "SIGTERM", "SIGHUP"], () => stop.abort());
  await runDevnet(options, new Screen(processTerminal(context)), stop.signal);
}

function settingsOf({ flags }: CliContext): Record<string, string> {
  if (flags.home !== null) {
    throw usageError("a devnet has a home for each node; say where with --dir, not with --home");
  }
  const settings: Record<string, string> = {};
  for (const { key, text } of flags.settings) {
    if (keysOfOneNode.has(key.name)) {
      const instead = key.name === "node.block_time" ? "; use --block-time" : "";
      throw usageError(`${key.flag} cannot be given to evm devnet, which sets it itself${instead}`);
    }
    settings[key.name] = text;
  }
  return settings;
}

function processTerminal({ environment }: CliContext): Terminal {
  const { stdout } = process;
  const { NO_COLOR: noColor = "", TERM: term } = environment;
  const isInteractive = stdout.isTTY === true && term !== "dumb";
  return {
    write: (text) => stdout.write(text),
    isInteractive,
    hasColor: isInteractive && noColor === "",
    size: () => ({ columns: stdout.columns, rows: stdout.rows }),
  };
}

function parseNodeCount(text: string): number {
  if (/^\d+$/.test(text) && nodeCounts.includes(Number(text))) return Number(text);
  throw new InvalidArgumentError(
    "Give 1, 3, 5 or 7: an even number tolerates no more failures than one node less.",
  );
}

function parseLoad(text: string): number {
  if (/^\d+$/.test(text) && Number(text) <= txPerSecondMax) return Number(text);
  throw new InvalidArgumentError(`Give a whole number from 0 to ${txPerSecondMax}.`);
}

function parseBetween(text: string, minMs: number, maxMs: number, range: string): number {
  const parsed = parseDuration(text);
  if (!parsed.ok) throw new InvalidArgumentError(`${parsed.problem}.`);
  if (parsed.value >= minMs && parsed.value <= maxMs) return parsed.value;
  throw new InvalidArgumentError(`Give ${range}.`);
}
