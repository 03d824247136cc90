/** All commands, and how a command line becomes an exit code. */

import { Command, CommanderError } from "commander";
import { registerClusterCommand } from "./cluster.ts";
import { registerConfigCommand } from "./config.ts";
import { type CliContext, isDebugging, type RegisterCommand } from "./context.ts";
import { registerDevnetCommand } from "./devnet.ts";
import { usageError } from "./errors.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";
import { registerInitCommand } from "./init.ts";
import { registerKeysCommand } from "./keys.ts";
import { registerNetInfoCommand } from "./net-info.ts";
import { describeFailure, exitCodeOf } from "./report-error.ts";
import { registerStartCommand } from "./start.ts";
import { registerVersionCommand } from "./version.ts";

/** In the order of `evm --help`. */
const commands: readonly RegisterCommand[] = [
  registerInitCommand,
  registerStartCommand,
  registerNetInfoCommand,
  registerClusterCommand,
  registerKeysCommand,
  registerConfigCommand,
  registerDevnetCommand,
  registerVersionCommand,
];

/** Runs one command to its end. Never throws: what fails is printed, and is the exit code. */
export async function runCli(context: CliContext): Promise<ExitCode> {
  try {
    const { rest, usageProblems } = context.flags;
    const wantsHelp = rest.some((argument) => argument === "--help" || argument === "-h");
    if (usageProblems.length > 0 && !wantsHelp) throw usageError(usageProblems.join("\nevm: "));
    await createProgram(context).parseAsync([...rest], { from: "user" });
    return exitCodes.clean;
  } catch (error) {
    // commander has printed its own message; help that was asked for is no failure.
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.clean : exitCodes.usage;
    }
    context.warn(describeFailure(error, { withStack: isDebugging(context) }));
    return exitCodeOf(error);
  }
}

function createProgram(context: CliContext): Command {
  const program = new Command("evm")
    .description("A high-availability sequencer for rollups: Raft-replicated block production.")
    .usage("COMMAND [--home=DIRECTORY] [--evnode.KEY=VALUE ...]")
    // Read before commander sees it; here for the help, and as a suggestion for a misspelt one.
    .option("--home <directory>", "home directory (default: ~/.evm)")
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({
      writeOut: (text) => context.print(text.trimEnd()),
      writeErr: (text) => context.warn(text.trimEnd()),
      outputError: (text, write) => write(`evm: ${text.replace(/^error: /, "").trimEnd()}`),
    })
    .addHelpText(
      "after",
      "\nSettings go before or after the command, as --flag=value or --flag value; evm config default\n" +
        "prints all of them. Exit codes: 0 clean, 64 usage, 69 unavailable, 70 broken, 74 I/O, 78 configuration.",
    );
  for (const register of commands) register(program, context);
  return program;
}
