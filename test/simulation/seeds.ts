/** Many seeds, on one thread or several. */

import { Worker } from "node:worker_threads";
import { Coverage } from "./coverage.ts";
import { simulate } from "./simulation.ts";

export interface SeedFailure {
  readonly seed: number;
  readonly step: number;
  readonly message: string;
}

/** What one seed came to, as plain data. */
export interface SeedReport {
  readonly seed: number;
  readonly steps: number;
  readonly simulatedMs: number;
  readonly recoveryElectionTimeouts: number;
  readonly message: string | null;
  readonly counts: ReadonlyMap<string, number>;
}

export interface Summary {
  seeds: number;
  failures: number;
  steps: number;
  simulatedMs: number;
  slowestRecovery: number;
  readonly coverage: Coverage;
}

export interface SeedRange {
  readonly from: number;
  readonly count: number;
  readonly workers: number;
}

export function reportOf(seed: number): SeedReport {
  const { steps, simulatedMs, violation, coverage, recoveryElectionTimeouts } = simulate(seed);
  const message = violation === null ? null : violation.message;
  return { seed, steps, simulatedMs, recoveryElectionTimeouts, message, counts: coverage.counts };
}

export async function runSeeds(
  { from, count, workers }: SeedRange,
  onFailure: (failure: SeedFailure) => void,
): Promise<Summary> {
  const summary: Summary = {
    seeds: 0,
    failures: 0,
    steps: 0,
    simulatedMs: 0,
    slowestRecovery: 0,
    coverage: new Coverage(),
  };
  const take = (report: SeedReport) => {
    summary.seeds++;
    summary.steps += report.steps;
    summary.simulatedMs += report.simulatedMs;
    summary.slowestRecovery = Math.max(summary.slowestRecovery, report.recoveryElectionTimeouts);
    summary.coverage.add(report.counts);
    if (report.message === null) return;
    summary.failures++;
    onFailure({ seed: report.seed, step: report.steps, message: report.message });
  };
  if (workers <= 1) {
    for (let seed = from; seed < from + count; seed++) take(reportOf(seed));
  } else {
    const threads = Array.from({ length: workers }, (_, at) => at);
    await Promise.all(threads.map((at) => runWorker({ from, count, workers }, at, take)));
  }
  return summary;
}

/** Thread `at` takes every `workers`th seed. */
function runWorker(
  range: SeedRange,
  at: number,
  take: (report: SeedReport) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("worker.ts", import.meta.url), {
      workerData: { ...range, at },
    });
    worker.on("message", take);
    worker.once("error", reject);
    worker.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`)),
    );
  });
}
