/**
 * Heartbeats, votes and commits must not wait behind block execution for a processor: neither the thread that runs
 * them, nor those that write what they promise to the disk. Linux gives threads priorities of their own.
 */

import { readdir, readFile } from "node:fs/promises";
import { setPriority } from "node:os";

/** Half-way between the normal priority and the highest. */
export const threadNice = -10;

/** What libuv calls the threads of its pool: LMDB's commits run there. */
const poolThreadName = "libuv-worker";

/** The system's word for this process's threads. */
const tasksPath = "/proc/self/task";

/**
 * Raises the priority of the calling thread, and of the pool that writes to the disk. Without the right to (LimitNICE,
 * CAP_SYS_NICE), and on other systems than Linux, they stay as they are: everything works, only with less room on a busy
 * machine.
 */
export async function raisePriority(): Promise<void> {
  const callingThread = 0;
  if (!raise(callingThread)) return;
  // The pool has its threads since somebody first used it, and reading the directory does.
  const threadIds = await readdir(tasksPath).catch(() => []);
  for (const threadId of threadIds) {
    const name = await readFile(`${tasksPath}/${threadId}/comm`, "utf8").catch(() => null);
    if (name?.trim() === poolThreadName) raise(Number(threadId));
  }
}

/** False if that is not permitted, or the thread has ended. */
function raise(threadId: number): boolean {
  try {
    setPriority(threadId, threadNice);
    return true;
  } catch {
    return false;
  }
}
