/**
 * Sees to it that no child process survives this one, whatever ends it. A pipe to a second process
 * does that: the kernel closes our end however we die, and then the other kills what we listed.
 * The children themselves need not know.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

export class ProcessGuard {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  static async start(): Promise<ProcessGuard> {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const main = join(import.meta.dirname, `guard-process.${extension}`);
    const child = spawn(process.execPath, [...process.execArgv, main], {
      stdio: ["pipe", "ignore", "ignore"],
      // Not in the terminal's process group: Ctrl-C is for us to handle.
      detached: true,
    });
    // Without its reader the pipe fails: then there is no guard, and nothing else is wrong.
    child.stdin?.on("error", () => {});
    await once(child, "spawn");
    return new ProcessGuard(child);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** From now on the process dies with us. */
  watch(pid: number): void {
    this.#process.stdin?.write(`+${pid}\n`);
  }

  /** To be told as soon as the process has ended, since its id may be another's then. */
  forget(pid: number): void {
    this.#process.stdin?.write(`-${pid}\n`);
  }

  /** Kills what is still watched. */
  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.stdin?.end();
    await exited;
  }
}
