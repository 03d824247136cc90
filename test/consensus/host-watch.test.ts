import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { HostWatch } from "../../src/consensus/host-watch.ts";

let isLeading: boolean;
let told: string[];
let watch: HostWatch;

beforeEach(() => {
  vi.useFakeTimers();
  isLeading = false;
  told = [];
  watch = new HostWatch({
    isLeading: () => isLeading,
    hangs: (silentMs) => told.push(`hangs ${silentMs}`),
    goesOn: (hungMs) => told.push(`goes on ${hungMs}`),
  });
  watch.start();
});
afterEach(() => {
  watch.stop();
  vi.useRealTimers();
});

function works(forMs: number, saysEveryMs = 200): void {
  for (let atMs = saysEveryMs; atMs <= forMs; atMs += saysEveryMs) {
    vi.advanceTimersByTime(saysEveryMs);
    watch.heard();
  }
}

it("takes no main thread for one that hangs which is busy for seconds, again and again", () => {
  works(90_000, 9_000);
  isLeading = true;
  works(90_000, 9_000);
  expect(told).toEqual([]);
  expect(watch.isHung).toBe(false);
});

it("tells once that it hangs; and that it goes on, with how long that was, once it has worked for a while", () => {
  works(3_000);
  vi.advanceTimersByTime(60_000);
  expect(told).toEqual(["hangs 10000"]);
  works(2_400);
  expect([watch.isHung, told.length]).toEqual([true, 1]);
  works(1_200);
  expect(watch.isHung).toBe(false);
  expect(told).toEqual(["hangs 10000", expect.stringMatching(/^goes on (60000|60500)$/)]);
});

it("finds a leader later than those to whom it would hand over", () => {
  isLeading = true;
  vi.advanceTimersByTime(14_000);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(2_000);
  expect(told).toEqual(["hangs 15000"]);
});

it("goes on waiting while it says something now and then: each word tells what it knew long ago", () => {
  vi.advanceTimersByTime(12_000);
  works(120_000, 6_000);
  expect(told).toEqual(["hangs 10000"]);
});

it("takes one for well that is busy most of the time", () => {
  vi.advanceTimersByTime(12_000);
  works(20_000, 1_400);
  expect(told).toEqual(["hangs 10000", expect.stringMatching(/^goes on/)]);
});

it("says nothing of one that ends", () => {
  watch.stop();
  vi.advanceTimersByTime(60_000);
  expect(told).toEqual([]);
});
