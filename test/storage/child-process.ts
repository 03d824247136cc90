/** Processes that tests start, watch and kill. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { defined } from "../../src/base/assert.ts";

export interface Child {
  readonly process: ChildProcess;
  /** Lines of standard output so far. */
  readonly lines: readonly string[];
  /** What it wrote to standard error. */
  readonly stderr: () => string;
  /** Resolves once a line equals `text`; rejects if the process ends before. */
  sees(text: string): Promise<void>;
  /** SIGKILL, and wait until it is gone and all it said has been read. */
  kill(): Promise<void>;
  readonly ended: Promise<void>;
}

export function childScript(name: string): string {
  return fileURLToPath(new URL(`children/${name}`, import.meta.url));
}

export function startChild(command: string, args: readonly string[]): Child {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  const waiting = new Map<string, () => void>();
  let stderr = "";
  createInterface({ input: defined(child.stdout, "a pipe") }).on("line", (line) => {
    lines.push(line);
    waiting.get(line)?.();
  });
  child.stderr?.on("data", (chunk) => {
    stderr += String(chunk);
  });
  const ended = once(child, "close").then(() => {});
  return {
    process: child,
    lines,
    stderr: () => stderr,
    ended,
    sees: async (text) => {
      if (lines.includes(text)) return;
      const seen = new Promise<void>((resolve) => waiting.set(text, resolve));
      const died = ended.then(() => {
        if (!lines.includes(text)) throw new Error(`ended before "${text}": ${stderr}`);
      });
      await Promise.race([seen, died]);
    },
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
