#!/usr/bin/env node
/** The `evm` executable. */

import { exitCodes } from "./exit-codes.ts";
import { setProcessTitle } from "./process-title.ts";
import { refusedRuntime } from "./runtime.ts";

const args = process.argv.slice(2);
// Before the rest of the program is even loaded: others may look at the command line meanwhile.
setProcessTitle(args);

// Whoever reads our output may stop early (`evm config default | head`). That must end no node.
process.stdout.on("error", ignore);
process.stderr.on("error", ignore);

function ignore(): void {}

const refusal = refusedRuntime(process.versions.node, process.execPath);
if (refusal === null) {
  const [{ processContext }, { runCli }] = await Promise.all([
    import("./context.ts"),
    import("./program.ts"),
  ]);
  process.exitCode = await runCli(processContext(args));
} else {
  process.stderr.write(`evm: ${refusal}\n`);
  process.exitCode = exitCodes.config;
}
