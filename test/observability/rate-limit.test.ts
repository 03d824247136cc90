import { expect, it } from "vitest";
import { RateLimit, rateLimitKeysMax } from "../../src/observability/rate-limit.ts";

function open() {
  const clock = { nowMs: 0 };
  return { clock, limit: new RateLimit(() => clock.nowMs) };
}

it("passes the first, holds back the others, and tells how many", () => {
  const { clock, limit } = open();
  expect([limit.pass("a", 10), limit.pass("a", 10), limit.pass("a", 10)]).toEqual([0, null, null]);
  clock.nowMs = 10;
  expect(limit.pass("a", 10)).toBe(2);
  expect(limit.pass("b", 10)).toBe(0);
});

it("passes after the clock stepped back", () => {
  const { clock, limit } = open();
  clock.nowMs = 1_000_000;
  limit.pass("a", 10);
  clock.nowMs = 0;
  expect(limit.pass("a", 10)).toBe(0);
  expect(limit.pass("a", 10)).toBeNull();
});

it("remembers a bounded number of keys, and forgets the oldest", () => {
  const { limit } = open();
  limit.pass("first", 10);
  for (let key = 0; key < rateLimitKeysMax - 1; key++) limit.pass(`key-${key}`, 10);
  expect(limit.pass("first", 10)).toBeNull();
  limit.pass("one more", 10);
  expect(limit.pass("first", 10)).toBe(0);
  expect(limit.pass("key-5", 10)).toBeNull();
});
