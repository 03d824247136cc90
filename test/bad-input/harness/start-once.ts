/** One `evm` process that is expected to end by itself, and what it said. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const main = join(import.meta.dirname, "..", "..", "..", "src", "cli", "main.ts");

/** On a busy machine a process takes seconds to come up; one that runs on is killed. */
const limitMs = 45_000;

export interface Ended {
  /** null: it was still running, and was killed. */
  readonly code: number | null;
  /** Standard output, then standard error. */
  readonly said: string;
}

/** With nothing of the caller's environment but what a process needs. */
export async function evm(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH, HOME, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: limitMs,
    killSignal: "SIGKILL",
  });
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [code, out, err] = await Promise.all([exited, text(child.stdout), text(child.stderr)]);
  return { code, said: out + err };
}
