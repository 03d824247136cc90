/** A short run of what `npm run chaos` does for as long as one likes. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { faultNames, whyImpossible } from "../chaos/faults.ts";
import { describeReport } from "../chaos/report.ts";
import { runChaos } from "../chaos/run.ts";
import { report } from "./harness/distribution.ts";

it("one fault of each kind at a distance of 20 ms breaks nothing", {
  timeout: 600_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "evm-chaos-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const faults = faultNames.filter((fault) => {
    const reason = whyImpossible(fault);
    if (reason !== null) report(`without ${fault}: ${reason}`);
    return reason === null;
  });
  const run = await runChaos({
    directory,
    cycles: faults.length,
    faults,
    nodes: 3,
    rttMs: 20,
    farRttMs: 20,
    blockTimeMs: 100,
    txPerSecond: 50,
    seed: 1,
    onNote: report,
    enough: new AbortController().signal,
  });
  report(describeReport(run));
  expect(run.violations).toEqual([]);
  expect(run.cycles.map(({ fault }) => fault)).toEqual(faults);
  expect(run.cycles.filter(({ isSkipped, undetected }) => isSkipped || undetected > 0)).toEqual([]);
});
