/** What every command is given: the command line's settings, the environment, and where to print. */

import type { Command } from "commander";
import type { Environment } from "../config/environment-source.ts";
import { type FlagSource, readFlags } from "../config/flag-source.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import { formatProblem, type Problem } from "../config/problem.ts";

export interface CliContext {
  /** Read from anywhere in the command line, before commander sees the rest. */
  readonly flags: FlagSource;
  readonly environment: Environment;
  readonly workingDirectory: string;
  /** Standard output: what was asked for. */
  readonly print: (text: string) => void;
  /** Standard error: warnings and failures. */
  readonly warn: (text: string) => void;
}

/** Each command is a file that exports one of these. */
export type RegisterCommand = (program: Command, context: CliContext) => void;

export function processContext(args: readonly string[]): CliContext {
  return {
    flags: readFlags(args),
    environment: process.env,
    workingDirectory: process.cwd(),
    print: (text) => process.stdout.write(`${text}\n`),
    warn: (text) => process.stderr.write(`${text}\n`),
  };
}

/** Throws ConfigError. Warnings are the caller's: a command that logs puts them into its log. */
export function loadContextConfig(context: CliContext): LoadedConfig {
  return loadConfig({ ...context, home: context.flags.home });
}

export function printWarnings(context: CliContext, warnings: readonly Problem[]): void {
  for (const warning of warnings) context.warn(`evm: warning: ${formatProblem(warning)}`);
}

/** Whether log.level is debug. Looks at flags and environment only, since the file may be what failed. */
export function isDebugging({ flags, environment }: CliContext): boolean {
  const flag = flags.settings.find(({ key }) => key.name === "log.level");
  const { EVNODE_LOG_LEVEL: variable } = environment;
  return (flag?.text ?? variable) === "debug";
}
