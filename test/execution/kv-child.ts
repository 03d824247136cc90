/**
 * Executes blocks until it is killed, and prints the heights that are on disk.
 *   node kv-child.ts DIRECTORY
 */

import { setImmediate } from "node:timers/promises";
import { KvExecutor } from "../../src/execution/kv.ts";
import { blockAt, genesis } from "./kv-blocks.ts";

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("usage: node kv-child.ts DIRECTORY");
const executor = new KvExecutor({ directory });
await executor.initChain(genesis);
for (;;) {
  await setImmediate();
  const { height, appHash } = await executor.head();
  await executor.executeTxs(blockAt(height + 1, appHash));
  if (height % 10 !== 0) continue;
  // Without a wait, so that blocks go on while these are written.
  void executor.flushed().then(() => process.stdout.write(`${height + 1}\n`));
}
