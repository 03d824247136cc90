/** Our own members, compiled as those that operators run are. */

import { execFileSync, fork } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Launch } from "../member/process.ts";

const bench = join(import.meta.dirname, "..");
const built = join(bench, "build");
const program = join(built, "bench", "member", "main.js");
const compiler = join(bench, "..", "node_modules", ".bin", "tsc");

/** Before the first launch of a run. Throws with what the compiler says. */
export function compileOurs(): void {
  rmSync(built, { recursive: true, force: true });
  execFileSync(compiler, ["-p", join(bench, "tsconfig.json")], { stdio: ["ignore", 2, 2] });
}

/** `execArgv` are flags for Node, such as those of its profiler. */
export function launchOurs(execArgv: readonly string[]): Launch {
  return (options) =>
    fork(program, [JSON.stringify(options)], {
      serialization: "advanced",
      execArgv: [...process.execArgv, ...execArgv],
    });
}
