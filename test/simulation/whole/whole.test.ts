/** P1, P2, P4, P5 and P7 of whole nodes under faults; and that a seed is a seed there, too. */

import { describe, expect, it } from "vitest";
import { runSeeds, type SeedFailure, type SeedRange, type Summary } from "../seeds.ts";

/** Never on this thread: its clocks and timers are this test's. */
const workers = 2;

/** What must have happened, or it proves little. */
const mustHappen = [
  "blocks",
  "signed",
  "block from p2p",
  "acknowledged",
  "transaction accepted",
  "transaction unavailable",
  "refused for good",
  "state value",
  "state unavailable",
  "thread busy",
  "question: message lost",
  "answer: message lost",
  "question: message delayed",
  "answer: message delayed",
  "question held one way",
  "answer held one way",
  "question taken too late",
  "question notSent",
  "question unanswered",
  "execution failed",
  "replaying",
  "fetching",
  "client-gone",
  "client-hung",
  "client-killed",
  "client-rejects",
  "client-wrong",
  "ended with 70, EXECUTION_REJECTED",
  "ended with 70, STATE_DIVERGENCE",
  "clock-jump",
  "stop",
  "stopped",
  "store-stalls",
  "store-fails",
  "blocks lost",
  "disk full",
  "ended by its disk",
  "lazy mode",
  "signing before commit",
  "rolling-restart",
  "restarted all in turn",
  "state catchingUp",
  "state producing",
  "snapshotDelivered",
  "wiped",
] as const;

const timeout = 300_000;

async function run(range: Pick<SeedRange, "from" | "count" | "isTwice">): Promise<Summary> {
  const failures: SeedFailure[] = [];
  const whole = { ...range, workers, wipesOnly: false, isWhole: true };
  const summary = await runSeeds(whole, (failure) => failures.push(failure));
  expect(failures, "replay: npm run simulate -- --whole --seed N").toEqual([]);
  return summary;
}

describe("whole nodes", () => {
  it("keep their promises, through everything that the seeds are for", { timeout }, async () => {
    const { coverage } = await run({ from: 100, count: 60, isTwice: false });
    expect(mustHappen.filter((what) => !coverage.counts.has(what))).toEqual([]);
  });

  it("do the same again for the same seeds, event by event", { timeout }, async () => {
    await run({ from: 1, count: 6, isTwice: true });
  });
});
