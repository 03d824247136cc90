/** Many seeds, on one thread or several. */

import { Worker } from "node:worker_threads";
import { majorityOf } from "../../src/raft/quorum.ts";
import { Coverage } from "./coverage.ts";
import { planOf } from "./plan.ts";
import { type Reduction, unreduced } from "./reduction.ts";
import { runReduced } from "./shrink.ts";
import { TranscriptHash } from "./transcript.ts";

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
  readonly recoveryShare: number;
  readonly failoverShare: number;
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
  /** The seed whose recovery came nearest to its limit. */
  slowest: Pick<SeedReport, "seed" | "recoveryShare"> | null;
  /** And the one whose failover did. */
  slowestFailover: Pick<SeedReport, "seed" | "failoverShare"> | null;
  readonly coverage: Coverage;
}

export interface SeedRange {
  readonly from: number;
  readonly count: number;
  readonly workers: number;
  /** Only seeds that are to wipe disks: `count` of these. */
  readonly wipesOnly: boolean;
  /** Of whole nodes, and not of cores and drivers only. */
  readonly isWhole: boolean;
  /** Each is run again, and must do the same. */
  readonly isTwice: boolean;
}

/** The seeds that thread `at` of `workers` takes: every n-th one of the range. */
export function* seedsOf(
  { from, count, workers, wipesOnly }: Omit<SeedRange, "isWhole" | "isTwice">,
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

export async function reportOf(
  seed: number,
  { isWhole, isTwice }: Pick<SeedRange, "isWhole" | "isTwice">,
): Promise<SeedReport> {
  const full = unreduced(seed, { isWhole });
  const hash = new TranscriptHash();
  const result = await runReduced(full, null, isTwice ? hash.listen : null);
  const { steps, simulatedMs, violation, coverage, recoveryShare, failoverShare } = result;
  const isItself = !isTwice || hash.digest() === (await transcriptOf(full));
  const message = isItself
    ? (violation?.message ?? null)
    : "it does something else the second time";
  const { counts } = coverage;
  return { seed, steps, simulatedMs, recoveryShare, failoverShare, message, counts };
}

/** A hash over every event. */
async function transcriptOf(full: Reduction): Promise<string> {
  const hash = new TranscriptHash();
  await runReduced(full, null, hash.listen);
  return hash.digest();
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
    slowest: null,
    slowestFailover: null,
    coverage: new Coverage(),
  };
  const take = (report: SeedReport) => {
    summary.seeds++;
    if (report.counts.has("wiped")) summary.withWipes++;
    summary.steps += report.steps;
    summary.simulatedMs += report.simulatedMs;
    if (report.recoveryShare > (summary.slowest?.recoveryShare ?? 0)) summary.slowest = report;
    if (report.failoverShare > (summary.slowestFailover?.failoverShare ?? 0)) {
      summary.slowestFailover = report;
    }
    summary.coverage.add(report.counts);
    if (report.message === null) return;
    summary.failures++;
    onFailure({ seed: report.seed, step: report.steps, message: report.message });
  };
  if (range.workers === 1) {
    for (const seed of seedsOf(range, 0)) take(await reportOf(seed, range));
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
