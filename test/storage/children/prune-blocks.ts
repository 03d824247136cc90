/**
 * A process that appends blocks and removes old ones until it is killed. Says `ready` when it has begun,
 * `pruning` when it removes for the first time. Arguments: directory, blocks to keep.
 */
import { writeSync } from "node:fs";
import { openBlockStore } from "../../../src/storage/open-block-store.ts";
import { blockAfter, genesis } from "../block-fixtures.ts";

const [directory = "", keep = "10"] = process.argv.slice(2);
const store = await openBlockStore({ directory, genesis, txWindow: 20, flushDelayMs: 1 });
writeSync(1, "ready\n");

async function prune(): Promise<void> {
  let said = false;
  for (;;) {
    const removed = await store.prune(store.head.height - Number(keep));
    if (removed > 0 && !said) writeSync(1, "pruning\n");
    said ||= removed > 0;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

void prune();
for (let count = 0; ; count++) {
  await store.append(blockAfter(store.head, [`tx ${store.head.height + 1}`]));
  if (count % 20 === 0) await store.flushed();
}
