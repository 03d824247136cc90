/** Prometheus' own checker. Tests that need it are skipped where it is not installed (Debian: `prometheus`). */
import { spawnSync } from "node:child_process";

export const promtoolMissing = spawnSync("promtool", ["--version"]).error !== undefined;

/** What promtool has to say, "" if it is content; throws its output if it fails. */
export function promtool(args: readonly string[], input = ""): string {
  const { status, stdout, stderr } = spawnSync("promtool", args, { input, encoding: "utf8" });
  const output = (stdout + stderr).trim();
  if (status !== 0) throw new Error(`promtool ${args.join(" ")} failed:\n${output}`);
  return output;
}
