/** The disk of the blocks, watched like that of the Raft log: each block waits for its signing mark there (P4, P5). */

import { WatchedDisk } from "../storage/watched-disk.ts";
import type { NodeContext } from "./context.ts";
import type { NodeListener } from "./node-listener.ts";

/** Says in the log when it becomes slow; readiness hears of it from `slow`. */
export function watchDataDisk({ options, narrator }: NodeContext, listener: NodeListener) {
  return new WatchedDisk(options.config.raft, {
    now: () => performance.now(),
    at: (atMs, callback) => {
      setTimeout(callback, Math.max(0, Math.ceil(atMs - performance.now()))).unref();
    },
    isLeading: () => listener.isLeader,
    changed: (slow) => {
      narrator.nodeEvent(
        slow === null ? { kind: "dataDiskWell" } : { kind: "dataDiskSlow", ...slow },
      );
    },
  });
}
