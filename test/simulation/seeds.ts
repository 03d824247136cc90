/** Many seeds, on one thread or several. */

import { Worker } from "node:worker_threads";
import { majorityOf } from "../../src/raft/quorum.ts";
import { Coverage } from "./coverage.ts";
import { planOf } from "./plan.ts";
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
  /** Of these, those in which a disk was wiped. */
  withWipes: number;
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
  /** Only seeds that are to wipe disks: `count` of these. */
  readonly wipesOnly: boolean;
}

/** The seeds that thread `at` of `workers` takes: every n-th one of the range. */
export function* seedsOf(
  { from, count, workers, wipesOnly }: SeedRange,
  at: number,
): Generator<number> {
  for (let seed = from, nth = 0; nth < count; seed++) {
    if (wipesOnly && !wipesDisks(seed)) continue;
    if (nth % workers === at) yield seed;
    nth++;
  }
}

function wipesDisks(seed: number): boolean {
  const { clusterSize, faults } = planOf(seed);
  const hasMinority = clusterSize > majorityOf(clusterSize);
  return hasMinority && Number.isFinite(faults.wipeEveryMs);
}

export function reportOf(seed: number): SeedReport {
  const { steps, simulatedMs, violation, coverage, recoveryElectionTimeouts } = simulate(seed);
  const message = violation === null ? null : violation.message;
  return { seed, steps, simulatedMs, recoveryElectionTimeouts, message, counts: coverage.counts };
}

export async function runSeeds(
  range: SeedRange,
  onFailure: (failure: SeedFailure) => void,
): Promise<Summary> {
  const summary: Summary = {
    seeds: 0,
    withWipes: 0,
    failures: 0,
    steps: 0,
    simulatedMs: 0,
    slowestRecovery: 0,
    coverage: new Coverage(),
  };
  const take = (report: SeedReport) => {
    summary.seeds++;
    if (report.counts.has("wiped")) summary.withWipes++;
    summary.steps += report.steps;
    summary.simulatedMs += report.simulatedMs;
    summary.slowestRecovery = Math.max(summary.slowestRecovery, report.recoveryElectionTimeouts);
    summary.coverage.add(report.counts);
    if (report.message === null) return;
    summary.failures++;
    onFailure({ seed: report.seed, step: report.steps, message: report.message });
  };
  if (range.workers === 1) {
    for (const seed of seedsOf(range, 0)) take(reportOf(seed));
  } else {
    const threads = Array.from({ length: range.workers }, (_, at) => at);
    await Promise.all(threads.map((at) => runWorker(range, at, take)));
  }
  return summary;
}

export interface WorkerData {
  readonly range: SeedRange;
  readonly at: number;
}

function runWorker(
  range: SeedRange,
  at: number,
  take: (report: SeedReport) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("worker.ts", import.meta.url), {
      workerData: { range, at } satisfies WorkerData,
    });
    worker.on("message", take);
    worker.once("error", reject);
    worker.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`)),
    );
  });
}
