import { describe, expect, it } from "vitest";
import { monotonicMs, SharedLease } from "../../src/consensus/shared-lease.ts";

/** What the other thread sees. */
const isHeldAfter = (term: number, untilMs: number, askedTerm = term) => {
  const lease = new SharedLease();
  lease.write(term, untilMs);
  return new SharedLease(lease.buffer).isHeld(askedTerm);
};

describe("the lease in shared memory", () => {
  it("is held until it ends", () => {
    expect(isHeldAfter(3, monotonicMs() + 60_000)).toBe(true);
    expect(isHeldAfter(3, monotonicMs() - 1)).toBe(false);
  });

  it("is not held without one, nor in another term", () => {
    expect(isHeldAfter(3, Number.NEGATIVE_INFINITY)).toBe(false);
    expect(isHeldAfter(3, monotonicMs() + 60_000, 4)).toBe(false);
  });

  it("of a lone voter has no end", () => {
    expect(isHeldAfter(1, Number.POSITIVE_INFINITY)).toBe(true);
  });
});
