/** `evm start`: runs a node until it is told to stop, or cannot go on. */

import type { Command } from "commander";
import { printFlagHelp } from "../config/flag-help.ts";
import type { CliContext } from "./context.ts";

export function registerStartCommand(program: Command, context: CliContext): void {
  program
    .command("start")
    .aliases(["node", "run"])
    .description("run this node: alone, or as a member of a cluster with raft.enable")
    .addHelpText("after", `\n${printFlagHelp()}`)
    .action(async () => {
      // A node's libraries take a second to load, which no other command needs to wait for.
      const { runNode } = await import("./run-node.ts");
      await runNode(context);
    });
}
