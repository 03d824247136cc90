/** Counts what strace sees of calls that wait for the disk. */

import { spawn } from "node:child_process";

/** fdatasync and its like, in all threads of `pids`, while `work` runs; null where strace cannot attach. */
export async function countSyncCalls(
  pids: readonly number[],
  work: () => Promise<unknown>,
): Promise<number | null> {
  const strace = spawn(
    "strace",
    [
      "-f",
      "-c",
      "-e",
      "trace=fdatasync,fsync,msync",
      ...pids.flatMap((pid) => ["-p", String(pid)]),
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let output = "";
  const exited = new Promise<boolean>((resolve) => {
    strace.once("error", () => resolve(false));
    strace.once("close", () => resolve(true));
  });
  const attached = new Promise<boolean>((resolve) => {
    strace.stderr.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const count = output.split("attached").length - 1;
      if (count >= pids.length) resolve(true);
    });
    void exited.then(() => resolve(false));
  });
  if (!(await attached)) return null;
  await work();
  strace.kill("SIGINT");
  await exited;
  return callsIn(output);
}

/** The sum of the `calls` column of strace's table. */
export function callsIn(table: string): number {
  const rows = table.matchAll(
    /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(?:fdatasync|fsync|msync)$/gm,
  );
  return [...rows].reduce((sum, row) => sum + Number(row[1]), 0);
}
