/**
 * Loaded into a node with `--import`: its executor takes a while over every block, as one under load does,
 * until SIGUSR2 says that the load is over.
 */

import { setTimeout as delay } from "node:timers/promises";
import { isMainThread } from "node:worker_threads";
import { KvExecutor } from "../../../src/execution/kv.ts";

const blockMs = 1_000;

if (isMainThread) {
  let isSlow = true;
  process.on("SIGUSR2", () => {
    isSlow = false;
  });
  const { executeTxs } = KvExecutor.prototype;
  KvExecutor.prototype.executeTxs = async function (block) {
    if (isSlow) await delay(blockMs);
    return await executeTxs.call(this, block);
  };
}
