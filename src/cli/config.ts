/** `evm config default` prints the sample file, `evm config check` every problem of the real one. */

import type { Command } from "commander";
import { printConfig } from "../config/print.ts";
import { ConfigError, formatProblem } from "../config/problem.ts";
import { requirePassphrase, resolveAdminToken, resolveJwtSecret } from "../config/secrets.ts";
import { summarize } from "../config/summary.ts";
import { type CliContext, loadContextConfig, printWarnings } from "./context.ts";

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
  const { config, configFile, warnings } = loadContextConfig(context);
  printWarnings(context, warnings);
  checkSecrets(context, config);
  context.print(`ok: ${configFile}`);
  for (const line of summarize(config)) context.print(`  ${line}`);
}

/** Warnings only: the service may have a variable or a credential that this shell has not. */
function checkSecrets(
  context: CliContext,
  config: ReturnType<typeof loadContextConfig>["config"],
): void {
  const { environment } = context;
  const resolvers = [
    () => (config.node.aggregator ? requirePassphrase(config, environment) : null),
    () => (config.execution.type === "engine" ? resolveJwtSecret(config, environment) : null),
    () => resolveAdminToken(config, environment),
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
