import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes } from "../../src/base/bytes.ts";
import { BlockError } from "../../src/block/errors.ts";
import { adopt, nextToProve, segmentsUpward } from "../../src/p2p/anchors.ts";
import { ServeBudget } from "../../src/p2p/budget.ts";
import type { Anchor } from "../../src/p2p/header-chain.ts";
import { inOrder } from "../../src/p2p/in-order.ts";
import { PeerScore } from "../../src/p2p/peer-score.ts";
import { decodeServed, encodeServed, exchangeProtocol } from "../../src/p2p/protocol.ts";
import { hex } from "../block/sample.ts";

describe("names and statements", () => {
  it("the protocols are ev-node's", () => {
    expect(exchangeProtocol("a", "headers")).toBe("/a-headerSync/header-ex/v0.0.3");
    expect(exchangeProtocol("a", "data")).toBe("/a-dataSync/header-ex/v0.0.3");
  });

  it("a statement has these bytes, and comes back", () => {
    const served = { chainId: "abc", blocks: { earliestHeight: 10, headHeight: 300 } };
    expect(encodeServed(served)).toEqual(hex("0a03616263100a18ac02"));
    expect(decodeServed(encodeServed(served))).toEqual(served);
    const empty = { chainId: "", blocks: null };
    expect(decodeServed(encodeServed(empty))).toEqual(empty);
    expect(decodeServed(concatBytes([encodeServed(served), hex("2a0100")]))).toEqual(served);
  });

  it.each([
    ["cut", "0a0361"],
    ["upside down", "10051801"],
    ["beyond exact integers", "10ffffffffffffffffff0118ffffffffffffffffff01"],
    ["too long", "00".repeat(2000)],
  ])("a statement that is %s is refused", (_name, bytes) => {
    expect(() => decodeServed(hex(bytes))).toThrow(BlockError);
  });

  it("no bytes do more than that", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeServed(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(BlockError);
        }
      }),
      { seed: 5 },
    );
  });
});

describe("anchors", () => {
  const anchor = (height: number, byte = height): Anchor => ({
    height,
    hash: Uint8Array.of(byte % 256),
  });

  /** The whole way down, as a backfill goes it. */
  function prove(target: number, bottom: number, length: number, saved: readonly Anchor[] = []) {
    const progress = saved.length === 0 ? null : { anchors: saved };
    const route = { bottom, length, saved: progress };
    let proven = 0;
    let anchors = adopt([anchor(target)], progress, bottom);
    for (let range = nextToProve(anchors, route); range !== null; ) {
      proven += range.to - range.from + 1;
      anchors = adopt([...anchors, anchor(range.from - 1)], progress, bottom);
      range = nextToProve(anchors, route);
    }
    return { anchors, proven };
  }

  it("a gap of one segment has nothing to prove on the way down", () => {
    expect(prove(100, 1, 2048)).toEqual({ anchors: [anchor(100)], proven: 0 });
    expect(prove(2048, 1, 2048).proven).toBe(0);
    expect(prove(2049, 1, 2048).proven).toBe(1);
  });

  it("segments cover the gap without overlap, whatever was saved before", () => {
    const gaps = fc.record({
      bottom: fc.integer({ min: 1, max: 300 }),
      older: fc.integer({ min: 0, max: 200 }),
      newer: fc.integer({ min: 0, max: 200 }),
      length: fc.integer({ min: 1, max: 64 }),
    });
    fc.assert(
      fc.property(gaps, ({ bottom, older, newer, length }) => {
        const saved = prove(bottom + older, bottom, length).anchors;
        const { anchors, proven } = prove(bottom + older + newer, bottom, length, saved);
        expect(proven).toBeLessThanOrEqual(newer + (newer === 0 ? 0 : length));
        let next = bottom;
        for (const { range, topHash } of segmentsUpward(anchors, bottom)) {
          expect(range.from).toBe(next);
          expect(range.to - range.from).toBeLessThan(length);
          expect(topHash).toEqual(anchor(range.to).hash);
          next = range.to + 1;
        }
        expect(next).toBe(bottom + older + newer + 1);
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  it("hashes of another chain are not taken over", () => {
    const saved = { anchors: [anchor(100, 1), anchor(64, 2)] };
    expect(adopt([anchor(100, 9)], saved, 1)).toEqual([anchor(100, 9)]);
    expect(adopt([anchor(100, 1)], saved, 1)).toEqual(saved.anchors);
    expect(adopt([anchor(100, 1)], saved, 65)).toEqual([anchor(100, 1)]);
  });
});

describe("in order", () => {
  it("results come in the order of their inputs; no more are begun than may be", async () => {
    let running = 0;
    let most = 0;
    const finish: (() => void)[] = [];
    const results = inOrder([1, 2, 3, 4, 5], {
      ahead: 3,
      signal: new AbortController().signal,
      run: async (input) => {
        most = Math.max(most, ++running);
        await new Promise<void>((resolve) => finish.push(resolve));
        running--;
        return input;
      },
    });
    const collected: number[] = [];
    const all = (async () => {
      for await (const result of results) collected.push(result);
    })();
    while (collected.length < 5) {
      finish.pop()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await all;
    expect(collected).toEqual([1, 2, 3, 4, 5]);
    expect(most).toBe(3);
  });

  it("what is under way when the consumer stops is aborted and waited for", async () => {
    let ended = 0;
    const results = inOrder([1, 2, 3], {
      ahead: 3,
      signal: new AbortController().signal,
      run: async (input, signal) => {
        if (input > 1) {
          await new Promise<void>((resolve) =>
            signal.addEventListener("abort", () => resolve(), { once: true }),
          );
        }
        ended++;
        return input;
      },
    });
    for await (const result of results) {
      expect(result).toBe(1);
      break;
    }
    expect(ended).toBe(3);
  });
});

describe("the budget of serving", () => {
  it("is spent, refills with its rate, and is no more once there is no limit", () => {
    let nowMs = 0;
    let rate = 1000;
    const budget = new ServeBudget(
      () => rate,
      () => nowMs,
    );
    expect(budget.waitMs()).toBe(0);
    budget.spend(3000);
    expect(budget.waitMs()).toBe(2001);
    nowMs += 1500;
    expect(budget.waitMs()).toBe(501);
    rate = 0;
    expect(budget.waitMs()).toBe(Number.POSITIVE_INFINITY);
    rate = Number.POSITIVE_INFINITY;
    expect(budget.waitMs()).toBe(0);
    rate = 1000;
    expect(budget.waitMs()).toBe(0);
    budget.spend(1000);
    expect(budget.waitMs()).toBe(1);
  });
});

describe("a peer's score", () => {
  it("falls with failures, which also make it rest longer and longer", () => {
    const peer = new PeerScore("a");
    peer.note({ kind: "good" }, 0);
    const before = peer.score;
    peer.note({ kind: "failed", reason: "reset" }, 0);
    expect(peer.score).toBeLessThan(before);
    expect([peer.isResting(249), peer.isResting(250)]).toEqual([true, false]);
    peer.note({ kind: "failed", reason: "reset" }, 250);
    expect([peer.isResting(749), peer.isResting(750)]).toEqual([true, false]);
    for (let count = 0; count < 30; count++) peer.note({ kind: "failed", reason: "reset" }, 1000);
    expect(peer.isResting(16_000)).toBe(false);
    peer.note({ kind: "good" }, 16_000);
    expect(peer.failures).toBe(0);
  });

  it("knows what it may have", () => {
    const peer = new PeerScore("a");
    expect(peer.mayHave(5)).toBe(true);
    peer.served = { earliestHeight: 10, headHeight: 20 };
    expect([9, 10, 20, 21].map((height) => peer.mayHave(height))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });
});
