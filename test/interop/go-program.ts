/** A Go program of this folder as a process: it is asked in lines of JSON, and ends with this one. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Writable } from "node:stream";
import { z } from "zod";
import { type Program, pathOf } from "./programs.ts";

const replySchema = z.object({
  number: z.number(),
  error: z.string().optional(),
  answer: z.unknown().optional(),
});

type Reply = z.infer<typeof replySchema>;

/** Bytes, as Go writes them into JSON; nil is null. */
export const base64Bytes = z
  .string()
  .nullable()
  .transform((text) => (text === null ? null : new Uint8Array(Buffer.from(text, "base64"))));

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

export class GoProgram {
  readonly #process: ChildProcess;
  readonly #input: Writable;
  readonly #waiting = new Map<number, PromiseWithResolvers<Reply>>();
  readonly #exited: Promise<unknown>;
  #asked = 0;

  private constructor(program: Program, args: readonly string[], logFile: string) {
    const log = openSync(logFile, "a");
    try {
      this.#process = spawn(pathOf(program), args, { stdio: ["pipe", "pipe", log] });
    } finally {
      closeSync(log);
    }
    const { stdin, stdout: output } = this.#process;
    if (stdin === null || output === null) throw new Error("its input and output are pipes");
    this.#input = stdin;
    this.#exited = once(this.#process, "exit");
    // Written to after its end: the exit below says so.
    this.#input.on("error", () => {});
    this.#waiting.set(0, Promise.withResolvers());
    createInterface({ input: output }).on("line", (line) => this.#heard(line));
    const ended = (error?: Error) => this.#failAll(error ?? new Error(`${program} has ended`));
    this.#process.once("error", ended);
    this.#process.once("exit", () => ended());
  }

  /** Resolves once it takes questions. What it says of itself is appended to `logFile`. */
  static async start(
    program: Program,
    args: readonly string[],
    logFile: string,
  ): Promise<GoProgram> {
    const started = new GoProgram(program, args, logFile);
    await started.#waiting.get(0)?.promise;
    return started;
  }

  /** The answer; rejects with the program's error, or once it has ended. */
  async ask(ask: string, about: unknown = null): Promise<unknown> {
    if (this.hasEnded) throw new Error(`asked ${ask} after its end`);
    const number = ++this.#asked;
    const reply = Promise.withResolvers<Reply>();
    this.#waiting.set(number, reply);
    this.#input.write(`${JSON.stringify({ number, ask, with: about })}\n`);
    const { error, answer } = await reply.promise;
    if (error !== undefined) throw new Error(`${ask}: ${error}`);
    return answer;
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#exited;
  }

  #heard(line: string): void {
    const reply = replySchema.parse(JSON.parse(line));
    this.#waiting.get(reply.number)?.resolve(reply);
    this.#waiting.delete(reply.number);
  }

  #failAll(error: Error): void {
    for (const { promise, reject } of this.#waiting.values()) {
      // Who does not wait any more has killed it.
      promise.catch(() => {});
      reject(error);
    }
    this.#waiting.clear();
  }
}
