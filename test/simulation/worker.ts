/** A thread of `runSeeds`: takes every n-th seed and reports on each. */

import { parentPort, workerData } from "node:worker_threads";
import { reportOf } from "./seeds.ts";

const { from, count, workers, at }: Record<string, number> = workerData;

for (let seed = (from ?? 0) + (at ?? 0); seed < (from ?? 0) + (count ?? 0); seed += workers ?? 1) {
  parentPort?.postMessage(reportOf(seed));
}
