/** Turns the steps of a backlog into few events: its begin, its end, and now and then how far it is. */

import type { NodeEvent } from "../observability/node-event.ts";
import type { Backlog } from "../sequencer/applier.ts";

const reportIntervalMs = 2_000;

export class BacklogTeller {
  readonly #tell: (event: NodeEvent) => void;
  #beganAtMs = 0;
  #fromHeight = 0;
  #toldAtMs = 0;

  constructor(tell: (event: NodeEvent) => void) {
    this.#tell = tell;
  }

  /** `last`: what it was before. A backfill's progress is the p2p layer's to tell, which knows its rate. */
  changed(backlog: Backlog | null, last: Backlog | null): void {
    if (last !== null && last.kind !== backlog?.kind) this.#ended(last);
    if (backlog === null) return;
    if (last === null || last.kind !== backlog.kind) this.#began(backlog);
    else if (backlog.kind === "replaying") this.#replayed(backlog);
  }

  #began({ kind, height, targetHeight }: Backlog): void {
    this.#beganAtMs = performance.now();
    this.#toldAtMs = this.#beganAtMs;
    const fromHeight = height + 1;
    this.#fromHeight = fromHeight;
    if (kind === "fetching") {
      this.#tell({ kind: "backfillBegan", fromHeight, toHeight: targetHeight });
    } else {
      this.#tell({ kind: "replayProgress", height, remaining: targetHeight - height });
    }
  }

  #replayed({ height, targetHeight }: Backlog): void {
    const nowMs = performance.now();
    if (nowMs - this.#toldAtMs < reportIntervalMs) return;
    this.#toldAtMs = nowMs;
    this.#tell({ kind: "replayProgress", height, remaining: targetHeight - height });
  }

  #ended({ kind, targetHeight: height }: Backlog): void {
    const blocks = height - this.#fromHeight + 1;
    const seconds = (performance.now() - this.#beganAtMs) / 1000;
    this.#tell({
      kind: kind === "fetching" ? "backfillEnded" : "replayEnded",
      height,
      blocks,
      seconds,
    });
  }
}
