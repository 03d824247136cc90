/** Our own members. */

import { fork } from "node:child_process";
import { join } from "node:path";
import type { Launch } from "../member/process.ts";

const program = join(import.meta.dirname, "..", "member", "main.ts");

/** `execArgv` are flags for Node, such as those of its profiler. */
export function launchOurs(execArgv: readonly string[]): Launch {
  return (options) =>
    fork(program, [JSON.stringify(options)], {
      serialization: "advanced",
      execArgv: [...process.execArgv, ...execArgv],
    });
}
