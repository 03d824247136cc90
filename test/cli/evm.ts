/** Runs the real executable in a home of its own. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const main = join(import.meta.dirname, "..", "..", "src", "cli", "main.ts");

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/** A directory that is removed when the test file ends. */
export function temporaryDirectory(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "evm-cli-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** With nothing of the caller's environment but what a process needs. */
export function startEvm(
  args: readonly string[],
  { environment = {} }: RunOptions = {},
): ChildProcessWithoutNullStreams {
  const { PATH = "", HOME = "" } = process.env;
  return spawn(process.execPath, [main, ...args], { env: { PATH, HOME, ...environment } });
}

export async function evm(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = startEvm(args, options);
  child.stdin.end(options.stdin ?? "");
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [exitCode, stdout, stderr] = await Promise.all([
    ended,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { exitCode, stdout, stderr };
}
