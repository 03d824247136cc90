import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { HostWatch } from "../../src/consensus/host-watch.ts";

/** As the consensus thread looks, beside its measurements. */
const lookEveryMs = 200;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function watched() {
  const told: (number | null)[] = [];
  const watch = new HostWatch((silentMs) => told.push(silentMs));
  watch.start();
  const passes = (ms: number, saysEveryMs: number | null = null) => {
    for (let atMs = lookEveryMs; atMs <= ms; atMs += lookEveryMs) {
      vi.advanceTimersByTime(lookEveryMs);
      if (saysEveryMs !== null && atMs % saysEveryMs === 0) watch.heard();
      watch.look();
    }
  };
  return { watch, told, passes };
}

it("takes no main thread for one that hangs which is busy for a few seconds, again and again", () => {
  const { watch, told, passes } = watched();
  passes(60_000, 4_000);
  expect(told).toEqual([]);
  expect(watch.isSilent).toBe(false);
});

it("tells once that it hangs, and once that it goes on", () => {
  const { watch, told, passes } = watched();
  passes(60_000);
  expect(told).toEqual([5_000]);
  expect(watch.isSilent).toBe(true);
  watch.heard();
  watch.heard();
  expect(told).toEqual([5_000, null]);
  expect(watch.isSilent).toBe(false);
});

it("does not count the time in which it stood still itself", () => {
  const { told, watch } = watched();
  // A process that is stopped: its timer fires once when it goes on, and then what was said is heard.
  vi.setSystemTime(Date.now() + 60_000);
  vi.advanceTimersByTime(500);
  watch.look();
  watch.heard();
  expect(told).toEqual([]);
});

it("says nothing of one that ends", () => {
  const { told, watch, passes } = watched();
  watch.stop();
  passes(60_000);
  expect(told).toEqual([]);
});
