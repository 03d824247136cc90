/** Who is faster, by how much, and whether an aim is reached: the arithmetic of `bench -- peers`. */

import { describe, expect, it } from "vitest";
import type { Aim } from "../../bench/aims.ts";
import { compare } from "../../bench/comparison.ts";
import type { Unit } from "../../bench/figure.ts";
import { comparisonsOf } from "../../bench/report.ts";

const ratio = (p50: number): Aim => ({ kind: "ratio", to: "hashicorp", p50 });

describe("an aim", () => {
  it.each<[string, Aim | null, Unit, number[], boolean | null]>([
    ["a time at the ratio", ratio(0.5), "ms", [5], true],
    ["a time above it", ratio(0.5), "ms", [6], false],
    ["a rate at the ratio", ratio(1.5), "per s", [15], true],
    ["a rate below it", ratio(1.5), "per s", [14], false],
    [
      "a time whose tail is too long",
      { kind: "absolute", p50: 5, max: 9 },
      "ms",
      [4, 4, 10],
      false,
    ],
    ["a time whose tail is not", { kind: "absolute", p50: 5, p95: 9, max: 9 }, "ms", [4, 9], true],
    ["a time above the middle", { kind: "absolute", p50: 5 }, "ms", [6], false],
    ["a rate as it is", { kind: "absolute", p50: 5 }, "per s", [6], true],
    ["a rate that is too low", { kind: "absolute", p50: 5 }, "per s", [4], false],
    ["none", null, "ms", [5], null],
    ["one by a peer that is not here", { kind: "ratio", to: "etcd", p50: 1 }, "ms", [5], null],
  ])("of %s", (_, aim, unit, ours, isReached) => {
    const samples = new Map([
      ["ours", ours],
      ["hashicorp", [10]],
    ] as const);
    const compared = compare({ network: "loopback", work: "it", unit }, samples, aim);
    expect(compared.isReached).toBe(isReached);
  });
});

it("prints us beside each peer, and a tail where the aim has one", () => {
  const work = (name: string) => ({ network: "slow", work: name, unit: "ms" }) as const;
  const all = new Map([
    ["ours", [1, 2, 3]],
    ["hashicorp", [4]],
    ["etcd", [8]],
  ] as const);
  const some = new Map([
    ["ours", [2]],
    ["etcd", [1]],
  ] as const);
  const table = comparisonsOf([
    compare(work("gap"), all, { kind: "absolute", p50: 2, p95: 2 }),
    compare(work("commit"), some, { kind: "ratio", to: "etcd", p50: 2 }),
    compare(work("other"), some, null),
  ]);
  expect(table.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
    ["", "unit", "ours", "hashicorp", "etcd", "ours/hashicorp", "ours/etcd", "aim"],
    [
      "slow: gap",
      "ms",
      "2.000 / 3.000 / 3.000",
      "4.000 / 4.000 / 4.000",
      "8.000 / 8.000 / 8.000",
      "0.50",
      "0.25",
      "2 / 2 ms",
      "missed",
    ],
    ["slow: commit", "ms", "2.000", "-", "1.000", "-", "2.00", "2 x etcd", "reached"],
    ["slow: other", "ms", "2.000", "-", "1.000", "-", "2.00"],
    [""],
  ]);
});
