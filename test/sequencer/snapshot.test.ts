/** Taking a snapshot leaves the thread to blocks and clients every now and then (P13). */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { decodeStateSnapshot } from "../../src/block/snapshot-codec.ts";
import { takeSnapshot } from "../../src/sequencer/snapshot.ts";
import { openBlockStore } from "../../src/storage/open-block-store.ts";
import { blockAfter, genesis } from "../storage/block-fixtures.ts";

it.each([
  { heights: 40, perBlock: 500 },
  { heights: 3_000, perBlock: 1 },
])(
  "of $heights blocks with $perBlock transactions each: others have their turns",
  async ({ heights, perBlock }) => {
    const directory = mkdtempSync(join(tmpdir(), "snapshot-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const store = await openBlockStore({ directory, genesis, txWindow: heights });
    onTestFinished(() => store.close());
    for (let height = 1; height <= heights; height++) {
      const ids = Array.from({ length: perBlock }, (_, nth) => `${height}-${nth}`);
      await store.append(blockAfter(store.head, ids));
    }
    await store.flushed();
    let atOnce = 0;
    let mostAtOnce = 0;
    let isTaken = false;
    const others = (async () => {
      for (; !isTaken; atOnce = 0) await setImmediate();
    })();
    const counted = async function* (head: number) {
      for await (const identities of store.recentTxIds(head)) {
        atOnce += identities.txIds.length;
        mostAtOnce = Math.max(mostAtOnce, atOnce);
        yield identities;
      }
    };
    const snapshot = await takeSnapshot({
      head: store.head,
      earliestHeight: store.earliestHeight,
      blockAt: (height) => store.blockAt(height),
      heightOf: (hash) => store.heightOf(hash),
      flushed: () => store.flushed(),
      recentTxIds: counted,
    });
    isTaken = true;
    await others;
    expect(mostAtOnce).toBeLessThan(2_500);
    const { recentTxIds } = decodeStateSnapshot(snapshot?.data ?? new Uint8Array());
    expect(recentTxIds.map(({ txIds }) => txIds.length)).toEqual(Array(heights).fill(perBlock));
  },
);
