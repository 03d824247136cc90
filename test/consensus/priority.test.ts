/** Which of a process's threads go first, as Linux says it. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { getPriority, setPriority } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { threadNice } from "../../src/consensus/priority.ts";
import { TestBench } from "./members.ts";

let bench: TestBench;
beforeEach(() => {
  bench = new TestBench();
});
afterEach(() => bench.clear());

const tasksPath = "/proc/self/task";

/** The priorities of this process's threads of a name. */
function nicesOf(name: string): readonly number[] {
  return readdirSync(tasksPath)
    .filter((id) => readFileSync(`${tasksPath}/${id}/comm`, "utf8").trim() === name)
    .map((id) => getPriority(Number(id)));
}

/** Whether this user may raise a priority as far as the consensus thread's; tried on this thread. */
function mayRaise(): boolean {
  const before = getPriority();
  try {
    setPriority(threadNice);
  } catch {
    return false;
  }
  setPriority(before);
  return true;
}

const hasTasks = existsSync(tasksPath);
// So that the pool is there before, at the priority of this process. Older libuv gives its threads no names.
if (hasTasks) await readdir(tasksPath);
const hasNamedPool = hasTasks && nicesOf("libuv-worker").length > 0;

describe.skipIf(!hasNamedPool || !mayRaise())(
  "where Linux permits it, before block execution go",
  () => {
    it("the consensus thread, and those that write to the disk", async () => {
      const { consensus } = bench.member();
      expect(nicesOf("libuv-worker")).not.toContain(threadNice);
      await consensus.start();
      await expect.poll(() => new Set(nicesOf("consensus"))).toEqual(new Set([threadNice]));
      await expect.poll(() => new Set(nicesOf("libuv-worker"))).toEqual(new Set([threadNice]));
      expect(getPriority()).not.toBe(threadNice);
    });
  },
);
