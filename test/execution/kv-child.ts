/**
 * Executes blocks until it is killed, and prints each height once it is executed.
 *   node kv-child.ts DIRECTORY
 */

import { KvExecutor } from "../../src/execution/kv.ts";
import { blockAt, genesis } from "./kv-blocks.ts";

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("usage: node kv-child.ts DIRECTORY");
const executor = new KvExecutor({ directory });
await executor.initChain(genesis);
for (;;) {
  const { height, appHash } = await executor.head();
  await executor.executeTxs(blockAt(height + 1, appHash));
  process.stdout.write(`${height + 1}\n`);
}
