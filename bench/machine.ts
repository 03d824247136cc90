/** On what a run was made: without it a figure means nothing. */

import { execFileSync } from "node:child_process";
import { readFileSync, statfsSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import { resolve } from "node:path";

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryMegabytes: number;
  readonly loadBefore: number;
  readonly node: string;
  readonly kernel: string;
  readonly fileSystem: string;
  readonly commit: string;
}

export function describeMachine(workDir: string): Machine {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? "unknown",
    memoryMegabytes: Math.round(totalmem() / (1024 * 1024)),
    loadBefore: loadavg()[0] ?? 0,
    node: process.version,
    kernel: release(),
    fileSystem: fileSystemOf(workDir),
    commit: commit(),
  };
}

/** The type of the mount that `path` is on, as /proc tells it; else statfs's number for it. */
function fileSystemOf(path: string): string {
  try {
    const mounts = readFileSync("/proc/mounts", "utf8").trimEnd().split("\n");
    const absolute = `${resolve(path)}/`;
    const found = mounts
      .map((line) => line.split(" "))
      .map(([, mountPoint = "", type = ""]) => ({ mountPoint, type }))
      .filter(({ mountPoint }) => absolute.startsWith(mountPoint.replace(/\/?$/, "/")))
      .sort((a, b) => b.mountPoint.length - a.mountPoint.length);
    return found[0]?.type ?? "unknown";
  } catch {
    return `type ${statfsSync(path).type}`;
  }
}

function commit(): string {
  try {
    const options = { cwd: import.meta.dirname, encoding: "utf8" } as const;
    return execFileSync("git", ["describe", "--always", "--dirty"], options).trim();
  } catch {
    return "unknown";
  }
}
