/** P1, P3, P5 and P8 under faults, for a fixed thousand of seeds; and that a seed is a seed. */

import { describe, expect, it } from "vitest";
import { Coverage } from "./coverage.ts";
import { calmDisturbances, disturbances } from "./disturbance.ts";
import { simulate } from "./simulation.ts";
import { TranscriptHash } from "./transcript.ts";

const batches = Array.from({ length: 10 }, (_, at) => at * 100);
const batchSize = 100;

/** A batch takes a few seconds; a machine that is busy with other tests is not to fail it. */
const batchTimeoutMs = 180_000;

/** What must have happened in a thousand seeds, or they prove little. */
const mustHappen = [
  "died",
  "becameLeader",
  "quorumLost",
  "replicationStalled",
  "leaderProcessGone",
  "logTruncated",
  "snapshotTaken",
  "compacted",
  "snapshotInstalled",
  "snapshotAccepted",
  "snapshotFailed",
  "snapshotDelivered",
  "transferEnded done",
  "transferEnded timeout",
  "transferEnded aborted",
  "proposal committed",
  "proposal lost",
  "read confirmed",
  "read refused",
  "read lease",
  "read stale",
  "window full",
  "wiped",
  "bootstrapped",
  "recovering",
  "recovered",
  "matchForgotten",
  ...disturbances,
  ...calmDisturbances.map((what) => `${what} in the calm`),
];

function hashOf(seed: number): string {
  const hash = new TranscriptHash();
  simulate(seed, { onLine: hash.listen });
  return hash.digest();
}

describe("a simulated cluster", () => {
  const coverage = new Coverage();

  it.each(batches)(
    `keeps its promises in ${batchSize} seeds from %i`,
    (from) => {
      for (let seed = from; seed < from + batchSize; seed++) {
        const result = simulate(seed);
        coverage.add(result.coverage.counts);
        const replay = `npm run simulate -- --seed ${seed}`;
        expect(result.violation?.message, replay).toBeUndefined();
      }
    },
    batchTimeoutMs,
  );

  it("has been through everything that those seeds are for", () => {
    const missing = mustHappen.filter((what) => !coverage.counts.has(what));
    expect(missing).toEqual([]);
  });

  it.each([1, 2, 3])("does the same again for seed %i, event by event", (seed) => {
    expect(hashOf(seed)).toBe(hashOf(seed));
  });

  it("does something else for another seed", () => {
    expect(hashOf(4)).not.toBe(hashOf(5));
  });
});
