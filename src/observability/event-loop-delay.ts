/** How late this thread's timers run: the time for which something else kept its event loop busy. */
import type { IntervalHistogram } from "node:perf_hooks";
import { monitorEventLoopDelay } from "node:perf_hooks";

export interface EventLoopDelaySample {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Every so often a timer is set and its lateness recorded. The histogram's values contain this interval. */
const resolutionMs = 10;

/** Measures the thread that creates it: main or worker. */
export class EventLoopDelay {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs });

  start(): void {
    this.#histogram.enable();
  }

  stop(): void {
    this.#histogram.disable();
  }

  /** The delays since the last sample. All 0 if nothing was recorded in between. */
  sample(): EventLoopDelaySample {
    const histogram = this.#histogram;
    const sample = {
      p50Ms: delayMs(histogram.percentile(50)),
      p99Ms: delayMs(histogram.percentile(99)),
      maxMs: histogram.count === 0 ? 0 : delayMs(histogram.max),
    };
    histogram.reset();
    return sample;
  }
}

function delayMs(recordedNs: number): number {
  return Math.max(0, recordedNs / 1e6 - resolutionMs);
}
