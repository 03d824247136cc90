/** A thread of `runSeeds`: takes every n-th seed and reports on each. */

import { parentPort, workerData } from "node:worker_threads";
import { reportOf, seedsOf, type WorkerData } from "./seeds.ts";

const { range, at }: WorkerData = workerData;

for (const seed of seedsOf(range, at)) {
  parentPort?.postMessage(await reportOf(seed, range));
}
