import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { sleep } from "../../src/base/task-group.ts";

const hourMs = 3_600_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Whether a sleep of `delayMs` is over after `elapsedMs`. */
async function isOver(delayMs: number, elapsedMs: number, signal?: AbortSignal): Promise<boolean> {
  let over = false;
  void sleep(delayMs, signal).then(() => {
    over = true;
  });
  await vi.advanceTimersByTimeAsync(elapsedMs);
  return over;
}

it.each([
  ["no time", 0],
  ["a second", 1_000],
  ["what one timer holds", 2 ** 31 - 1],
  ["a moment more", 2 ** 31],
  ["a month", 720 * hourMs],
  ["three months", 2_200 * hourMs],
])("sleeps for %s, and not less", async (_name, delayMs) => {
  if (delayMs > 0) expect(await isOver(delayMs, delayMs - 1)).toBe(false);
  expect(await isOver(delayMs, delayMs)).toBe(true);
});

it("wakes at once in any of the steps of a long sleep", async () => {
  const abort = new AbortController();
  let over = false;
  void sleep(2_200 * hourMs, abort.signal).then(() => {
    over = true;
  });
  await vi.advanceTimersByTimeAsync(1_000 * hourMs);
  expect(over).toBe(false);
  abort.abort();
  await Promise.resolve();
  expect(over).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});
