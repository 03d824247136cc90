/** The entry of the consensus thread: its port, its clock, its priority. What runs in it is `ConsensusThread`. */

import { parentPort, workerData } from "node:worker_threads";
import { defined } from "../base/assert.ts";
import { ConsensusThread } from "./consensus-thread.ts";
import type { Clock } from "./driver.ts";
import type { ConsensusOptions, FromConsensus, ToConsensus } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { raisePriority } from "./priority.ts";
import { monotonicMs } from "./shared-lease.ts";

const port = defined(parentPort, "this module runs as a worker thread");
// Structured clone carries the options as they are: both sides are of one build.
const options = workerData as ConsensusOptions;

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

const outbox = new Outbox<FromConsensus>((batch, buffers) => port.postMessage(batch, buffers));
const thread = new ConsensusThread(options, {
  clock,
  post: (message, buffer) => outbox.post(message, buffer),
  ended: () => {
    outbox.flush();
    port.close();
  },
});
void raisePriority();
process.on("uncaughtException", (error) => thread.fail(error));
port.on("message", (batch: readonly ToConsensus[]) => {
  try {
    for (const message of batch) thread.take(message);
  } catch (error) {
    thread.fail(error);
  }
});
thread.begin();
