/** The entry of the consensus thread: its port, its clock, its priority. What runs in it is `ConsensusThread`. */

import { setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { defined } from "../base/assert.ts";
import { ConsensusThread } from "./consensus-thread.ts";
import type { Clock } from "./driver.ts";
import type { ConsensusOptions, FromConsensus, ToConsensus } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { monotonicMs } from "./shared-lease.ts";

const port = defined(parentPort, "this module runs as a worker thread");
// Structured clone carries the options as they are: both sides are of one build.
const options = workerData as ConsensusOptions;

/** Half-way between the normal priority and the highest. */
const threadNice = -10;

const clock: Clock = {
  now: monotonicMs,
  at: (atMs, callback) => {
    // The port keeps the thread alive; once it is closed no timer may hold up the end.
    setTimeout(callback, Math.max(0, Math.ceil(atMs - monotonicMs()))).unref();
  },
  soon: (callback) => {
    setImmediate(callback);
  },
};

/**
 * Heartbeats must not wait behind block execution for a processor. Linux gives threads priorities of
 * their own; without the right to raise one (LimitNICE, CAP_SYS_NICE) it stays as it is.
 */
function raisePriority(): void {
  try {
    setPriority(threadNice);
  } catch {
    // Not permitted: everything works, only with less room on a busy machine.
  }
}

const outbox = new Outbox<FromConsensus>((batch, buffers) => port.postMessage(batch, buffers));
const thread = new ConsensusThread(options, {
  clock,
  post: (message, buffer) => outbox.post(message, buffer),
  ended: () => {
    outbox.flush();
    port.close();
  },
});
raisePriority();
process.on("uncaughtException", (error) => thread.fail(error));
port.on("message", (batch: readonly ToConsensus[]) => {
  try {
    for (const message of batch) thread.take(message);
  } catch (error) {
    thread.fail(error);
  }
});
thread.begin();
