/** `evm config default` prints the sample file, `evm config check` every problem of the real one. */

import { existsSync } from "node:fs";
import type { Command } from "commander";
import type { LoadedConfig } from "../config/load.ts";
import { printConfig } from "../config/print.ts";
import { ConfigError, formatProblem } from "../config/problem.ts";
import type { NodeConfig } from "../config/schema.ts";
import { requireJwtSecret, requirePassphrase, resolveAdminToken } from "../config/secrets.ts";
import { summarize } from "../config/summary.ts";
import { type CliContext, loadContextConfig, printWarnings } from "./context.ts";
import { requireSequencer } from "./require-sequencer.ts";

export function registerConfigCommand(program: Command, context: CliContext): void {
  const command = program.command("config").description("print or check the configuration");
  command
    .command("default")
    .description("print evnode.yaml with every key, its comment, type, default and variable")
    .action(() => context.print(printConfig().trimEnd()));
  command
    .command("check")
    .description("print every problem of the configuration that evm start would use, with its line")
    .action(() => check(context));
}

function check(context: CliContext): void {
  const loaded = loadOrWarn(context);
  const { config, configFile, warnings } = loaded;
  printWarnings(context, warnings);
  requireSequencer(loaded);
  if (!existsSync(configFile)) {
    context.warn(`evm: warning: ${configFile}: there is no such file; evm init writes one`);
  }
  checkSecrets(context, config);
  context.print(`ok: ${configFile}`);
  for (const line of summarize(config)) context.print(`  ${line}`);
}

/** The error itself lists only what must be mended. */
function loadOrWarn(context: CliContext): LoadedConfig {
  try {
    return loadContextConfig(context);
  } catch (error) {
    if (error instanceof ConfigError) {
      const { problems } = error.detail;
      printWarnings(
        context,
        problems.filter(({ severity }) => severity === "warning"),
      );
    }
    throw error;
  }
}

/** Warnings only: the service may have a variable or a credential that this shell has not. */
function checkSecrets(context: CliContext, config: NodeConfig): void {
  const { environment } = context;
  const resolvers = [
    () => (config.node.aggregator ? requirePassphrase(config, environment) : null),
    () => resolveAdminToken(config, environment),
    () => (config.execution.type === "engine" ? requireJwtSecret(config, environment) : null),
  ];
  for (const resolve of resolvers) {
    try {
      for (const warning of resolve()?.warnings ?? []) context.warn(`evm: warning: ${warning}`);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const problem of error.detail.problems) {
        context.warn(`evm: warning: ${formatProblem(problem)}`);
      }
    }
  }
}
