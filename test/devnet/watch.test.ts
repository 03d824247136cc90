import { expect, it } from "vitest";
import { type ClusterView, isWhole } from "../../src/devnet/watch.ts";

/** Of nodes at those heights; null for one that does not answer. */
function clusterAt(heights: readonly (number | null)[], leaderId: string | null): ClusterView {
  const nodes = heights.map((height, at) => ({
    id: `node-${at + 1}`,
    rpcAddress: "127.0.0.1:20001",
    isRunning: true,
    status: height === null ? null : { height, hash: "aa", raft: null },
  }));
  return { nodes, height: Math.max(...heights.map((height) => height ?? 0)), leaderId, term: 2 };
}

it.each([
  ["all are at one height", [9, 9, 9], "node-1", 1_000, true],
  ["one is two blocks behind", [9, 7, 9], "node-1", 1_000, true],
  ["one is three seconds behind", [9, 6, 9], "node-1", 1_000, false],
  ["one is half a second of fast blocks behind", [90, 70, 90], "node-1", 25, true],
  ["one is a second of fast blocks behind", [90, 50, 90], "node-1", 25, false],
  ["nobody leads", [9, 9, 9], null, 1_000, false],
  ["one does not answer", [9, null, 9], "node-1", 1_000, false],
])("a cluster of which %s", (_what, heights, leaderId, blockTimeMs, expected) => {
  expect(isWhole(clusterAt(heights, leaderId), blockTimeMs)).toBe(expected);
});
