/** What running nodes ask of the kernel: written to disk, made durable, sent. By strace, which stops a call at its begin and end. */

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
  /** Microseconds of the machine's clock, so that traces of several nodes can be compared. */
  readonly beganAtUs: number;
  readonly endedAtUs: number;
}

/** Traces a node; the answer ends the trace and reads it. */
export async function trace(node: LocalNode): Promise<() => Promise<readonly SystemCall[]>> {
  const file = join(node.place.home, "strace.txt");
  const options = ["-f", "-y", "-ttt", "-T", "-s", "20000", "-e", calls, "-o", file];
  const strace = spawn("strace", [...options, "-p", String(node.pid)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
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

const begun = /^(\d+) +([\d.]+) (\w+)\(\d+<([^>]*)>(.*)$/s;
const resumed = /^(\d+) +([\d.]+) <\.\.\. \w+ resumed>(.*)$/s;
const duration = / <([\d.]+)>$/;

export function parseTrace(text: string): readonly SystemCall[] {
  const done: SystemCall[] = [];
  const open = new Map<string, Omit<SystemCall, "endedAtUs">>();
  for (const line of text.split("\n")) {
    const [, thread = "", at = "", name = "", file = "", rest = ""] = begun.exec(line) ?? [];
    if (name !== "") {
      const call = { name, file, text: rest, beganAtUs: microseconds(at) };
      const tookUs = microseconds(duration.exec(rest)?.[1] ?? "0");
      if (rest.endsWith("<unfinished ...>")) open.set(thread, call);
      else done.push({ ...call, endedAtUs: call.beganAtUs + tookUs });
      continue;
    }
    const [, ofThread = "", endedAt = "", more = ""] = resumed.exec(line) ?? [];
    const call = open.get(ofThread);
    if (call === undefined) continue;
    open.delete(ofThread);
    // What was read stands where the call returns.
    done.push({ ...call, text: call.text + more, endedAtUs: microseconds(endedAt) });
  }
  return done.sort((a, b) => a.beganAtUs - b.beganAtUs);
}

function microseconds(seconds: string): number {
  return Math.round(Number(seconds) * 1e6);
}
