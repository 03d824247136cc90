/** What a running node asks of the kernel: written to disk, made durable, sent. In the order of a trace by strace. */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { LocalNode } from "../../../src/devnet/local-node.ts";
import { until } from "./until.ts";

export const hasStrace = spawnSync("strace", ["-V"]).status === 0;

const calls = "trace=fdatasync,fsync,pwrite64,writev,pwritev,write,sendto,sendmsg,read,recvfrom";

export interface SystemCall {
  readonly name: string;
  /** What its first argument is: a path, or `socket:[12345]`. */
  readonly file: string;
  /** As strace shows it, text with escapes. */
  readonly text: string;
  /** Places in the trace: when it began and when it returned. */
  readonly beganAt: number;
  readonly endedAt: number;
}

/** Traces a node; the answer ends the trace and reads it. */
export async function trace(node: LocalNode): Promise<() => Promise<readonly SystemCall[]>> {
  const file = join(node.place.home, "strace.txt");
  const options = ["-f", "-y", "-s", "20000", "-e", calls, "-o", file, "-p", String(node.pid)];
  const strace = spawn("strace", options, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(strace, "exit");
  onTestFinished(() => {
    strace.kill("SIGKILL");
  });
  let said = "";
  strace.stderr.on("data", (chunk) => {
    said += String(chunk);
  });
  await until("strace is attached", () => {
    if (strace.exitCode !== null) throw new Error(`strace cannot attach: ${said}`);
    return said.includes("attached");
  });
  return async () => {
    strace.kill("SIGINT");
    await ended;
    return parseTrace(readFileSync(file, "latin1"));
  };
}

const begun = /^(\d+) +(\w+)\(\d+<([^>]*)>(.*)$/s;
const resumed = /^(\d+) +<\.\.\. (\w+) resumed>(.*)$/s;

export function parseTrace(text: string): readonly SystemCall[] {
  const done: SystemCall[] = [];
  const open = new Map<string, Omit<SystemCall, "endedAt">>();
  for (const [at, line] of text.split("\n").entries()) {
    const [, thread = "", name = "", file = "", rest = ""] = begun.exec(line) ?? [];
    if (name !== "") {
      const call = { name, file, text: rest, beganAt: at };
      if (rest.endsWith("<unfinished ...>")) open.set(thread, call);
      else done.push({ ...call, endedAt: at });
      continue;
    }
    const [, ofThread = "", , more = ""] = resumed.exec(line) ?? [];
    const call = open.get(ofThread);
    if (call === undefined) continue;
    open.delete(ofThread);
    // What was read stands where the call returns.
    done.push({ ...call, text: call.text + more, endedAt: at });
  }
  return done.sort((a, b) => a.beganAt - b.beganAt);
}
