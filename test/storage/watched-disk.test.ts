/** A store tells of each of its writes, and a watched disk of its becoming slow. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { wellAfterMs } from "../../src/storage/disk-watch.ts";
import { openBlockStore } from "../../src/storage/open-block-store.ts";
import { WatchedDisk } from "../../src/storage/watched-disk.ts";
import { blockAfter, genesis } from "./block-fixtures.ts";

const root = mkdtempSync(join(tmpdir(), "watched-disk-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it("a signing mark and the blocks before it are one write to the block store, seen from begin to end", async () => {
  const told: string[] = [];
  const disk = { began: () => told.push("began"), ended: () => told.push("ended") };
  const store = await openBlockStore({ directory: root, genesis, txWindow: 100, disk });
  told.splice(0);
  const block = blockAfter(store.head);
  await store.append(block);
  const marked = store.setWatermark({ height: 2, hash: block.hash });
  expect(told).toEqual(["began"]);
  await marked;
  expect(told).toEqual(["began", "ended"]);
  await store.close();
});

it("a disk that stalls is told of once, by a clock that nobody writes by, and once more when it is well", () => {
  let nowMs = 0;
  let timers: { readonly atMs: number; readonly callback: () => void }[] = [];
  const told: boolean[] = [];
  const options = { heartbeatTimeoutMs: 300, electionTimeoutMs: 300 };
  const disk = new WatchedDisk(options, {
    now: () => nowMs,
    at: (atMs, callback) => timers.push({ atMs, callback }),
    isLeading: () => false,
    changed: (slow) => told.push(slow !== null),
  });
  const wait = (ms: number) => {
    for (const untilMs = nowMs + ms; nowMs < untilMs; nowMs++) {
      const due = timers.filter(({ atMs }) => atMs <= nowMs);
      timers = timers.filter(({ atMs }) => atMs > nowMs);
      for (const { callback } of due) callback();
    }
  };
  disk.began();
  wait(1_000);
  expect(told).toEqual([true]);
  expect(disk.slow?.takesMs).toBeGreaterThan(900);
  disk.ended();
  wait(wellAfterMs(options) + 100);
  expect(told).toEqual([true, false]);
  expect([disk.slow, timers]).toEqual([null, []]);
});
