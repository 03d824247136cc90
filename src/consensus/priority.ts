/**
 * Heartbeats, votes and commits must not wait behind block execution for a processor: neither the thread that runs
 * them, nor those that write what they promise to the disk. These are libuv's pool, which the process has only one of:
 * what it does for the main thread, as the commits of the block store, comes before block execution too.
 */

import { readdir, readFile } from "node:fs/promises";
import { getPriority, setPriority } from "node:os";

/** Half-way between the normal priority and the highest. */
export const threadNice = -10;

/** What libuv calls the threads of its pool: LMDB's commits run there. */
const poolThreadName = "libuv-worker";

/** The system's word for this process's threads. */
const tasksPath = "/proc/self/task";

/**
 * Raises the priority of the calling thread, and of the pool that writes to the disk. Without the right to (LimitNICE,
 * CAP_SYS_NICE), and on other systems than Linux, where threads have no priorities of their own, they stay as they are:
 * everything works, only with less room on a busy machine.
 */
export async function raisePriority(): Promise<void> {
  if (process.platform !== "linux") return;
  const callingThread = 0;
  if (!raise(callingThread)) return;
  // The pool has its threads since somebody first used it, and reading the directory does.
  const threadIds = await readdir(tasksPath).catch(() => []);
  for (const threadId of threadIds) {
    const name = await readFile(`${tasksPath}/${threadId}/comm`, "utf8").catch(() => null);
    if (name?.trim() === poolThreadName) raise(Number(threadId));
  }
}

/** Never lowers one. False if it is not permitted, or the thread has ended. */
function raise(threadId: number): boolean {
  try {
    if (getPriority(threadId) > threadNice) setPriority(threadId, threadNice);
    return true;
  } catch {
    return false;
  }
}
