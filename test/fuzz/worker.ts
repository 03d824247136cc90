/** The thread of a campaign: each task's inputs, one after the other. */

import { parentPort, workerData } from "node:worker_threads";
import type { Finding, Report, Task, WorkerData, WorkerMessage } from "./campaign.ts";
import { inputOf } from "./generate.ts";
import { Judge, type Problem } from "./judge.ts";
import { minimised } from "./minimise.ts";
import { progressOf } from "./progress.ts";
import type { Target } from "./target.ts";

const { targetsModule, seed, tasks, shared }: WorkerData = workerData;
const { targets }: { readonly targets: readonly Target[] } = await import(targetsModule);
const progress = progressOf(shared);

/** One of each kind is enough to see, and many would be written for one cause. */
const findingsMax = 20;

for (const [at, task] of tasks.entries()) tell({ kind: "report", report: await run(task, at) });

async function run(task: Task, at: number): Promise<Report> {
  const target = targets.find(({ name }) => name === task.target);
  if (target === undefined) throw new Error(`there is no decoder ${task.target}`);
  const judge = await Judge.of(target);
  const beganMs = performance.now();
  const counts = { taken: 0, refused: 0, problem: 0 };
  const seen = new Set<string>();
  for (let number = task.from; number < task.from + task.count; number++) {
    const input = inputOf(target, seed, number);
    progress.begin(at, number, input);
    const verdict = await judge.judge(input);
    counts[verdict.kind]++;
    if (verdict.kind !== "problem" || seen.has(verdict.problem.signature)) continue;
    if (seen.size >= findingsMax) continue;
    seen.add(verdict.problem.signature);
    tell({ kind: "finding", finding: await findingOf(judge, verdict.problem, input, number) });
  }

  async function findingOf(
    judge: Judge,
    problem: Problem,
    input: Uint8Array,
    number: number,
  ): Promise<Finding> {
    const smallest = await minimised(input, async (candidate) => {
      progress.begin(at, number, candidate);
      const verdict = await judge.judge(candidate);
      return verdict.kind === "problem" && verdict.problem.signature === problem.signature;
    });
    return { target: task.target, seed, number, problem, input: smallest };
  }

  return {
    target: task.target,
    inputs: task.count,
    taken: counts.taken,
    refused: counts.refused,
    problems: counts.problem,
    seconds: (performance.now() - beganMs) / 1000,
    mostUsed: judge.mostUsed,
  };
}

function tell(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}
