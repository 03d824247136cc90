import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.ts";
import { majorityOf, quorumValue, voteResult } from "../../src/raft/quorum.ts";

describe("majorityOf", () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
    [7, 4],
  ])("of %i voters is %i", (voters, majority) => {
    expect(majorityOf(voters)).toBe(majority);
  });
});

describe("quorumValue", () => {
  it.each([
    { values: [], reached: Number.NEGATIVE_INFINITY },
    { values: [5], reached: 5 },
    { values: [5, 3], reached: 3 },
    { values: [5, 3, 9], reached: 5 },
    { values: [0, 0, 9], reached: 0 },
    { values: [4, 1, 2, 3], reached: 2 },
    { values: [7, 7, 1, 1, 7], reached: 7 },
    { values: [1, 100, 20], reached: 20 },
    { values: [Infinity, 3, -Infinity], reached: 3 },
  ])("of $values is $reached", ({ values, reached }) => {
    expect(quorumValue(values)).toBe(reached);
  });

  it("is the highest value that a majority has reached, counted one by one", () => {
    const random = seededRandom(4711);
    for (let round = 0; round < 2000; round++) {
      const values = Array.from({ length: 1 + Math.floor(random() * 7) }, () =>
        Math.floor(random() * 12),
      );
      const hasMajority = (x: number) =>
        values.filter((value) => value >= x).length > values.length / 2;
      const slow = Math.max(...values.filter(hasMajority));
      expect(quorumValue(values), String(values)).toBe(slow);
    }
  });
});

describe("voteResult", () => {
  const of = (voters: string, granted: string, refused: string) =>
    voteResult([...voters], new Set(granted), new Set(refused));

  it.each([
    { voters: "", granted: "", refused: "", result: "lost" },
    { voters: "a", granted: "a", refused: "", result: "won" },
    { voters: "abc", granted: "a", refused: "", result: "pending" },
    { voters: "abc", granted: "ab", refused: "", result: "won" },
    { voters: "abc", granted: "a", refused: "b", result: "pending" },
    { voters: "abc", granted: "a", refused: "bc", result: "lost" },
    { voters: "abcd", granted: "ab", refused: "", result: "pending" },
    { voters: "abcd", granted: "ab", refused: "cd", result: "lost" },
    { voters: "abcde", granted: "abc", refused: "de", result: "won" },
  ])("$granted of $voters, $refused refusing: $result", ({ voters, granted, refused, result }) => {
    expect(of(voters, granted, refused)).toBe(result);
  });

  it("does not count those who have no vote", () => {
    expect(of("abc", "axy", "z")).toBe("pending");
  });
});
