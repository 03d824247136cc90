/** The rule of zones decides as a search through all orders does, which is slow and obvious. */

import { describe, expect, it } from "vitest";
import { Dice } from "./dice.ts";
import { contradiction, type Operation } from "./linearizability.ts";

const write = (value: number, beganAt: number, endedAt: number): Operation => ({
  kind: "write",
  value,
  beganAt,
  endedAt,
  who: "client",
});
const read = (value: number, beganAt: number, endedAt: number): Operation => ({
  kind: "read",
  value,
  beganAt,
  endedAt,
  who: "client",
});
const never = Number.POSITIVE_INFINITY;

describe("a register is one", () => {
  it.each<[string, Operation[]]>([
    ["nothing happens", []],
    ["a read sees the write before it", [write(1, 1, 2), read(1, 3, 4)]],
    ["a read sees a write under way", [write(1, 1, 5), read(1, 2, 3)]],
    ["a read sees what a write under way replaces", [write(1, 1, 5), read(0, 2, 3)]],
    ["writes at one time take turns", [write(1, 1, 4), write(2, 2, 3), read(1, 5, 6)]],
    ["an unanswered write takes effect late", [write(1, 1, never), read(0, 2, 3), read(1, 8, 9)]],
    ["an unanswered write has no effect", [write(1, 1, never), read(0, 2, 3)]],
    ["a stale read sees the past", [write(1, 1, 2), write(2, 3, 4), read(1, -Infinity, 9)]],
  ])("if %s", (_, history) => {
    expect(contradiction(history)).toBeNull();
    expect(isLinearizable(history)).toBe(true);
  });

  it.each<[string, Operation[]]>([
    ["a read misses the write before it", [write(1, 1, 2), read(0, 3, 4)]],
    ["a read sees the future", [read(1, 1, 2), write(1, 3, 4)]],
    ["a read sees what nobody wrote", [read(7, 1, 2)]],
    ["a value comes back", [write(1, 1, 2), write(2, 3, 4), read(1, 5, 6)]],
    ["two reads go back", [write(1, 1, 9), read(1, 2, 3), read(0, 4, 5)]],
    ["a write takes effect twice", [write(1, 1, 2), read(1, 3, 4), write(2, 5, 6), read(1, 7, 8)]],
  ])("but not if %s", (_, history) => {
    expect(contradiction(history)).not.toBeNull();
    expect(isLinearizable(history)).toBe(false);
  });

  it("as a search through all orders finds it, for 20,000 random histories", () => {
    const dice = new Dice(1);
    let linearizable = 0;
    for (let round = 0; round < 20_000; round++) {
      const history = randomHistory(dice);
      const isOne = isLinearizable(history);
      if (isOne) linearizable++;
      expect(contradiction(history) === null, JSON.stringify(history)).toBe(isOne);
    }
    expect(linearizable).toBeGreaterThan(1_000);
    expect(linearizable).toBeLessThan(19_000);
  });
});

function randomHistory(dice: Dice): readonly Operation[] {
  const count = dice.integer(1, 6);
  const moments = dice.shuffled(Array.from({ length: 2 * count }, (_, at) => at + 1));
  const writes = dice.integer(1, count);
  return Array.from({ length: count }, (_, at) => {
    const pair = [moments[2 * at] ?? 0, moments[2 * at + 1] ?? 0] as const;
    const [beganAt, endedAt] = [Math.min(...pair), Math.max(...pair)];
    if (at < writes) return write(at + 1, beganAt, dice.chance(0.2) ? never : endedAt);
    return read(dice.integer(0, writes), dice.chance(0.1) ? -Infinity : beganAt, endedAt);
  });
}

/** Tries every order in which nothing comes before what had ended when it began. */
function isLinearizable(waiting: readonly Operation[], held = 0): boolean {
  if (waiting.every(({ endedAt }) => endedAt === never)) return true;
  const firstEnd = Math.min(...waiting.map(({ endedAt }) => endedAt));
  return waiting.some((next) => {
    if (next.beganAt > firstEnd) return false;
    if (next.kind === "read" && next.value !== held) return false;
    const rest = waiting.filter((operation) => operation !== next);
    return isLinearizable(rest, next.kind === "write" ? next.value : held);
  });
}
