/** A member written in Go: a program of this folder's module, built when it is needed. */

import { execFile, spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Launch } from "../member/process.ts";

const run = promisify(execFile);
const buildLimitMs = 10 * 60_000;

/** Builds the program, whose modules Go downloads. Throws what Go says if it cannot be built. */
export async function buildMember(name: string, workDir: string): Promise<Launch> {
  const directory = join(workDir, "programs");
  await mkdir(directory, { recursive: true });
  const program = join(directory, name);
  await run("go", ["build", "-o", program, `./${name}`], {
    cwd: import.meta.dirname,
    timeout: buildLimitMs,
    // A Go that is too old shall say so, and not fetch another.
    env: { ...process.env, GOTOOLCHAIN: "local" },
  });
  return (options) =>
    spawn(program, [JSON.stringify(options)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
}

/** Whether there is Go to build it with. */
export async function hasGo(): Promise<boolean> {
  return (await outputOf("go", ["version"])) !== null;
}

/** What a program says; null where it is not here, or of no use. */
export async function outputOf(command: string, args: readonly string[]): Promise<string | null> {
  return run(command, args).then(
    ({ stdout }) => stdout,
    () => null,
  );
}
