import { describe, expect, it } from "vitest";
import { FailoverGapMeter } from "../../src/observability/failover-gap.ts";

const blockTimeMs = 1000;
const block = (term: number, seenAtMs: number, isLive = true) => ({ term, seenAtMs, isLive });

function observeAll(...blocks: readonly ReturnType<typeof block>[]) {
  const meter = new FailoverGapMeter(blockTimeMs);
  return blocks.map((each) => meter.observe(each)).filter((gap) => gap !== null);
}

describe("failover gap", () => {
  it("is the time between the last block of one term and the first of the next", () => {
    expect(observeAll(block(1, 0), block(1, 1000), block(2, 2734), block(2, 3700))).toEqual([
      { gapMs: 1734, missedSlots: 1, fromTerm: 1, toTerm: 2 },
    ]);
  });

  it("is one block time, and no block missed, if the new leader kept the cadence", () => {
    expect(observeAll(block(1, 0), block(2, 1010))).toMatchObject([
      { gapMs: 1010, missedSlots: 0 },
    ]);
  });

  it("spans terms in which no block was made", () => {
    expect(observeAll(block(1, 0), block(5, 9000))).toEqual([
      { gapMs: 9000, missedSlots: 8, fromTerm: 1, toTerm: 5 },
    ]);
  });

  it("is nothing within a term, however slow", () => {
    expect(observeAll(block(1, 0), block(1, 60_000))).toEqual([]);
  });

  it("is not measured on history, which arrives close together", () => {
    expect(observeAll(block(1, 0, false), block(2, 1, false))).toEqual([]);
  });

  it("is not measured from or to history: this node was away, not the chain", () => {
    expect(observeAll(block(1, 0), block(2, 90_000, false), block(3, 90_001))).toEqual([]);
  });
});
