/** A node with a slow disk is not ready to lead, nor is one whose entries reach nobody; and it lacks nothing (P5). */

import { afterEach, beforeEach, expect, it } from "vitest";
import type { SlowDisk } from "../../src/sequencer/readiness.ts";
import type { Sequencer } from "../../src/sequencer/sequencer.ts";
import { openChain, startSequencer, TestLog, until } from "./fixtures.ts";

const slow: SlowDisk = { takesMs: 412.3, limitMs: 58.3 };
let chain: Awaited<ReturnType<typeof openChain>>;
let log: TestLog;
let sequencer: Sequencer;
let dataDisk: SlowDisk | null;

beforeEach(async () => {
  chain = await openChain();
  log = new TestLog();
  dataDisk = null;
  ({ sequencer } = startSequencer(chain, log, { slowDataDisk: () => dataDisk }));
});

afterEach(async () => {
  await sequencer.stop();
  await chain.remove();
});

const isReady = () => log.readiness.at(-1)?.isReady;

it("that of the log: the node says what a write takes, until it is told that all is well", () => {
  sequencer.onRaftHealth({ slowDisk: slow, standsBack: false });
  const told = "the disk of raft_dir is slow: a write takes 412 ms, and may take 58";
  expect(sequencer.unreadyReason).toBe(told);
  expect([isReady(), sequencer.isBehind]).toEqual([false, false]);
  sequencer.onRaftHealth({ slowDisk: null, standsBack: false });
  expect(sequencer.unreadyReason).toBeNull();
  expect(isReady()).toBe(true);
});

it("its path to the others: the node says so for as long as consensus stands back", () => {
  sequencer.onRaftHealth({ slowDisk: null, standsBack: true });
  const told = "it led and could not replicate, and stands back for a while";
  expect(sequencer.unreadyReason).toBe(told);
  expect([isReady(), sequencer.isBehind]).toEqual([false, false]);
  sequencer.onRaftHealth({ slowDisk: null, standsBack: false });
  expect(sequencer.unreadyReason).toBeNull();
  expect(isReady()).toBe(true);
});

it("that of the blocks: it is looked at all the time, since nobody tells", async () => {
  await until(() => isReady() === true);
  dataDisk = slow;
  await until(() => isReady() === false);
  const told = "the disk of the data directory is slow: a write takes 412 ms, and may take 58";
  expect(sequencer.unreadyReason).toBe(told);
  expect(sequencer.isBehind).toBe(false);
  dataDisk = null;
  await until(() => isReady() === true);
});
