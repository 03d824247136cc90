/**
 * A commit without a protocol: the same hops between threads, processes and disks as one of ours in a cluster of three,
 * and nothing else. What we need more than this is ours; this itself is the machine's, Node's and LMDB's.
 */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { type FloorOptions, inFolder, timed } from "../floor.ts";
import type { BareLeaderData } from "./leader.ts";

export interface BareCommitOptions extends FloorOptions {
  /** Before the first that is measured. */
  readonly warmUpCommits: number;
}

/** From this thread through the leader's to two durable writes, and back; one at a time. */
export function bareCommitMs(options: BareCommitOptions): Promise<number[]> {
  const { workDir, sizeBytes, count, warmUpCommits } = options;
  return inFolder(workDir, async (directory) => {
    const followers: ChildProcess[] = [];
    let leader: Worker | null = null;
    try {
      const followerPorts: number[] = [];
      for (let nth = 0; nth < 2; nth++) {
        const follower = fork(pathOf("follower.ts"), [directory, String(sizeBytes)]);
        followers.push(follower);
        const [port] = await once(follower, "message");
        followerPorts.push(Number(port));
      }
      const workerData: BareLeaderData = { directory, sizeBytes, followerPorts };
      const thread = new Worker(pathOf("leader.ts"), { workerData });
      leader = thread;
      await once(thread, "message"); // it is connected
      const commit = async () => {
        const committed = once(thread, "message");
        thread.postMessage(null);
        await committed;
      };
      for (let nth = 0; nth < warmUpCommits; nth++) await commit();
      return await timed(count, commit);
    } finally {
      await leader?.terminate();
      for (const follower of followers) {
        const exited = once(follower, "exit");
        follower.disconnect();
        await exited;
      }
    }
  });
}

function pathOf(name: string): string {
  return join(import.meta.dirname, name);
}
