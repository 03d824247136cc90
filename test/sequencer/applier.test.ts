/** What the applier does with work for which it has the blocks already. */

import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { defined } from "../../src/base/assert.ts";
import { BlockError } from "../../src/block/errors.ts";
import { decodeStateSnapshot } from "../../src/block/snapshot-codec.ts";
import { takeSnapshot } from "../../src/sequencer/snapshot.ts";
import { blockFileName } from "../../src/storage/block-tables.ts";
import { flipBit } from "../storage/flip-bit.ts";
import { openChain, startSequencer, TestLog, until } from "./fixtures.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

it("a snapshot of a block that is here is taken by its hash, also where the block is damaged", async () => {
  const before = await openChain();
  const led = startSequencer(before, new TestLog());
  const role = { term: 2, hasJoined: true, isRecovering: false, commitIndex: 0 };
  led.sequencer.onRole({ ...role, role: "leader", leaderId: "a" });
  await until(() => before.store.head.height >= 3);
  const snapshot = defined(await takeSnapshot(before.store), "there are blocks");
  const { height } = decodeStateSnapshot(snapshot.data).block;
  await until(() => before.store.head.height > height);
  await led.sequencer.stop();
  const { signature } = defined(before.store.blockAt(height), "it is stored").header;
  await before.close();
  flipBit(join(before.directory, blockFileName), signature);

  const chain = await openChain(before.directory);
  const log = new TestLog();
  const { sequencer, recorded } = startSequencer(chain, log);
  closers.push(chain.remove, () => sequencer.stop());
  sequencer.onSnapshot(snapshot);
  await until(() => log.appliedIndex === snapshot.index);
  expect(() => chain.store.blockAt(height)).toThrow(BlockError);
  expect(recorded.failures).toEqual([]);
});
