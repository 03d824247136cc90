/**
 * The consensus thread's event-loop delay for Prometheus: it is reported several times between two scrapes, and the worst
 * counts. Of two Prometheus servers each sees what came since either of them asked.
 */

import type { EventLoopDelaySample } from "../observability/event-loop-delay.ts";
import type { Metrics } from "../observability/metrics.ts";

const thread = "consensus";
const none: EventLoopDelaySample = { p50Ms: 0, p99Ms: 0, maxMs: 0 };

export class WorstLoopDelay {
  #worst = none;

  constructor(metrics: Metrics) {
    const { eventLoopDelay } = metrics.process;
    metrics.onScrape(() => {
      const { p50Ms, p99Ms, maxMs } = this.#worst;
      this.#worst = none;
      eventLoopDelay.set({ thread, stat: "p50" }, p50Ms / 1000);
      eventLoopDelay.set({ thread, stat: "p99" }, p99Ms / 1000);
      eventLoopDelay.set({ thread, stat: "max" }, maxMs / 1000);
    });
  }

  measured({ p50Ms, p99Ms, maxMs }: EventLoopDelaySample): void {
    const worst = this.#worst;
    this.#worst = {
      p50Ms: Math.max(worst.p50Ms, p50Ms),
      p99Ms: Math.max(worst.p99Ms, p99Ms),
      maxMs: Math.max(worst.maxMs, maxMs),
    };
  }
}
