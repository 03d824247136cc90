/** `evm config default` prints the sample file, `evm config check` every problem of the real one. */

import { existsSync } from "node:fs";
import type { Command } from "commander";
import { inspectConfig, refuseErrors } from "../config/load.ts";
import { printConfig } from "../config/print.ts";
import { summarize } from "../config/summary.ts";
import { problemsAtStart } from "./check-config.ts";
import { type CliContext, printWarnings } from "./context.ts";

export function registerConfigCommand(program: Command, context: CliContext): void {
  const command = program.command("config").description("print or check the configuration");
  command
    .command("default")
    .description("print evnode.yaml with every key, its comment, type, default and variable")
    .action(() => context.print(printConfig().trimEnd()));
  command
    .command("check")
    .description(
      "print every problem of the keys that evm start would use, with its line; genesis and signer are read at the start",
    )
    .action(() => check(context));
}

function check(context: CliContext): void {
  const inspected = inspectConfig({ ...context, home: context.flags.home });
  const { config, configFile } = inspected;
  const problems = problemsAtStart(inspected, context.environment);
  // The error itself lists only what must be mended.
  printWarnings(
    context,
    problems.filter(({ severity }) => severity === "warning"),
  );
  refuseErrors(problems);
  if (!existsSync(configFile)) {
    context.warn(`evm: warning: ${configFile}: there is no such file; evm init writes one`);
  }
  context.print(`ok: ${configFile}`);
  for (const line of summarize(config)) context.print(`  ${line}`);
}
