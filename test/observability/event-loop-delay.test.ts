import { once } from "node:events";
import { setImmediate, setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { EventLoopDelay } from "../../src/observability/event-loop-delay.ts";

/** Turns the event loop until its timers have run, then keeps it busy. */
async function stall(delay: EventLoopDelay, busyMs: number) {
  await setTimeout(25);
  const end = performance.now() + busyMs;
  while (performance.now() < end);
  await setTimeout(25);
  await setImmediate();
  return delay.sample();
}

it("measures how long something kept the thread busy, once", async () => {
  const delay = new EventLoopDelay();
  delay.start();
  const { p50Ms, maxMs } = await stall(delay, 150);
  expect(maxMs).toBeGreaterThan(100);
  expect(p50Ms).toBeLessThan(maxMs);
  expect(delay.sample()).toEqual({ p50Ms: 0, p99Ms: 0, maxMs: 0 });
  delay.stop();
});

it("measures the worker that created it, not the main thread", async () => {
  const worker = new Worker(new URL("./fixtures/busy-worker.ts", import.meta.url));
  const [sample] = await once(worker, "message");
  expect(sample.maxMs).toBeGreaterThan(100);
  await worker.terminate();
});
