/**
 * A process that outlives the one that started it by a moment, to end what that one left behind. It
 * reads `+PID` and `-PID`, a line each; when its standard input ends, those still listed are killed.
 */

import { createInterface } from "node:readline";

process.title = "evm devnet guard";
// The terminal's signals reach every process of the group; this one ends after the others.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});

const pids = new Set<number>();

for await (const line of createInterface({ input: process.stdin })) {
  const pid = Number(line.slice(1));
  if (line.startsWith("+")) pids.add(pid);
  else pids.delete(pid);
}
for (const pid of pids) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile, as it should.
  }
}
