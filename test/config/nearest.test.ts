import { describe, expect, it } from "vitest";
import { editDistance, nearest } from "../../src/config/nearest.ts";

describe("editDistance", () => {
  it.each([
    ["", "", 0],
    ["", "abc", 3],
    ["raft", "raft", 0],
    ["raft", "raf", 1],
    ["raft", "rfat", 1],
    ["kitten", "sitting", 3],
    ["node_id", "nodeid", 1],
  ])("%s to %s takes %d edits, and so does the way back", (a, b, edits) => {
    expect([editDistance(a, b), editDistance(b, a)]).toEqual([edits, edits]);
  });
});

describe("nearest", () => {
  const words = ["heartbeat_timeout", "election_timeout", "peers", "priority"];

  it.each([
    ["heartbeat_timout", "heartbeat_timeout"],
    ["PEERS", "peers"],
    ["peer", "peers"],
    ["heartbeat", "heartbeat_timeout"],
    ["quux", null],
    ["", null],
  ])("of %j is %j", (word, found) => {
    expect(nearest(word, words)).toBe(found);
  });

  it("of a very long word is null, and no word is compared with it", () => {
    // Letter by letter with each of these this would be 10^11 steps.
    const many = Array.from({ length: 1000 }, (_, at) => `${"x".repeat(100)}${at}`);
    expect(nearest("x".repeat(1_000_000), many)).toBeNull();
  });
});
