/**
 * Many inputs for many decoders, in a thread of their own: one that hangs or takes all memory is seen from
 * outside, with the input that it was given, and the campaign goes on behind it.
 */

import { Worker } from "node:worker_threads";
import type { Problem } from "./judge.ts";
import { type Progress, progressOf } from "./progress.ts";

export interface Task {
  readonly target: string;
  /** Number of the first input. */
  readonly from: number;
  readonly count: number;
}

export interface Finding {
  readonly target: string;
  readonly seed: number;
  /** Of the input as it was generated. */
  readonly number: number;
  readonly problem: Problem;
  /** Made smaller where that was possible. */
  readonly input: Uint8Array;
}

/** What became of one task. */
export interface Report {
  readonly target: string;
  readonly inputs: number;
  readonly taken: number;
  readonly refused: number;
  readonly problems: number;
  readonly seconds: number;
  /** Of what is allowed, the most that an input used; 1 is the limit. */
  readonly mostUsed: { readonly allocation: number; readonly time: number };
}

export interface Campaign {
  /** A module that exports `targets`. */
  readonly targetsModule: string;
  readonly seed: number;
  readonly tasks: readonly Task[];
  /** One input that takes longer hangs. */
  readonly hangMs: number;
  /** What all that is alive may take, together; beyond it the thread ends, and not the campaign. */
  readonly heapMaxMb: number;
  readonly onFinding: (finding: Finding) => void;
  readonly onReport?: (report: Report) => void;
}

export interface WorkerData {
  readonly targetsModule: string;
  readonly seed: number;
  readonly tasks: readonly Task[];
  readonly shared: SharedArrayBuffer;
}

export type WorkerMessage =
  | { readonly kind: "finding"; readonly finding: Finding }
  | { readonly kind: "report"; readonly report: Report };

export async function runCampaign(campaign: Campaign): Promise<void> {
  let tasks = campaign.tasks;
  while (tasks.length > 0) tasks = await runThread(campaign, tasks);
}

/** The tasks that are left: none, unless an input ended the thread. Its decoder is done with, too. */
async function runThread(campaign: Campaign, tasks: readonly Task[]): Promise<readonly Task[]> {
  const { targetsModule, seed, hangMs, heapMaxMb, onFinding, onReport } = campaign;
  const progress = progressOf();
  const worker = new Worker(new URL("worker.ts", import.meta.url), {
    workerData: { targetsModule, seed, tasks, shared: progress.shared } satisfies WorkerData,
    // The stack is the main thread's: a thread of its own would have four times as much.
    resourceLimits: { maxOldGenerationSizeMb: heapMaxMb, stackSizeMb: 1 },
  });
  worker.on("message", (message: WorkerMessage) => {
    if (message.kind === "finding") onFinding(message.finding);
    else onReport?.(message.report);
  });
  const fate = await fateOf(worker, progress, hangMs);
  if (fate === null) return [];
  if (!progress.hasBegun) throw fate.error ?? new Error("the thread did not begin");
  const task = tasks[progress.task];
  if (task === undefined) throw new Error("the thread was at a task of its own");
  const { number, input } = progress;
  const problem = { kind: fate.kind, signature: fate.kind, message: fate.message };
  onFinding({ target: task.target, seed, number, problem, input });
  // The rest of its inputs would end one thread after the other.
  return tasks.slice(progress.task + 1);
}

interface Fate {
  readonly kind: "hung" | "died";
  readonly message: string;
  readonly error: Error | null;
}

/** How the thread ended; null if it came to its end. */
function fateOf(worker: Worker, progress: Progress, hangMs: number): Promise<Fate | null> {
  return new Promise((resolve) => {
    let last = -1;
    const watch = setInterval(() => {
      const now = progress.steps;
      if (now !== last || !progress.hasBegun) {
        last = now;
        return;
      }
      settle({ kind: "hung", message: `no end within ${hangMs} ms`, error: null });
      void worker.terminate();
    }, hangMs);
    const settle = (fate: Fate | null) => {
      clearInterval(watch);
      resolve(fate);
    };
    worker.once("error", (error: Error) =>
      settle({ kind: "died", message: `${error.name}: ${error.message}`, error }),
    );
    worker.once("exit", (code) =>
      settle(code === 0 ? null : { kind: "died", message: `exit ${code}`, error: null }),
    );
  });
}
