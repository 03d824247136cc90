/** What happened, one line an event, for who replays a seed. Costs nothing while nobody listens. */

import { createHash } from "node:crypto";
import type { Schedule } from "./schedule.ts";

export class Transcript {
  readonly #schedule: Schedule;
  readonly #listener: ((line: string) => void) | null;

  constructor(schedule: Schedule, listener: ((line: string) => void) | null) {
    this.#schedule = schedule;
    this.#listener = listener;
  }

  /** `who` is a node, or a part of the world; `what` is only called if someone listens. */
  note(who: string, what: () => string): void {
    if (this.#listener === null) return;
    const time = this.#schedule.nowMs.toFixed(3).padStart(11);
    this.#listener(`${time}  ${who.padEnd(8)} ${what()}`);
  }
}

/** Collects lines into one hash: two runs are the same if their hashes are. */
export class TranscriptHash {
  readonly #hash = createHash("sha256");

  readonly listen = (line: string): void => {
    this.#hash.update(line).update("\n");
  };

  digest(): string {
    return this.#hash.digest("hex");
  }
}
