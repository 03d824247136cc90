/**
 * Loaded into a node with `--import`: SIGPROF keeps its main thread busy for half a second, as a
 * large block, a slow execution or a long garbage collection would.
 */

import { isMainThread } from "node:worker_threads";

const busyMs = 500;

if (isMainThread) {
  process.on("SIGPROF", () => {
    const endMs = performance.now() + busyMs;
    while (performance.now() < endMs);
    process.stderr.write(`${new Date().toISOString()} DBG test: was busy for ${busyMs} ms\n`);
  });
}
