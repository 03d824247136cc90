/** Which faults of a seed happen. Each has a name that stays the same when others are left out. */

import type { Transcript } from "./transcript.ts";

export class FaultTape {
  readonly #kept: ReadonlySet<string> | null;
  readonly #transcript: Transcript;
  readonly #names: string[] = [];

  /** `kept`: the only ones that happen; null for all of them. */
  constructor(kept: ReadonlySet<string> | null, transcript: Transcript) {
    this.#kept = kept;
    this.#transcript = transcript;
  }

  /** What has happened so far. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** Whether the fault is to happen, now. */
  admits(name: string): boolean {
    if (this.#kept !== null && !this.#kept.has(name)) return false;
    this.#names.push(name);
    this.#transcript.note("fault", () => name);
    return true;
  }
}
