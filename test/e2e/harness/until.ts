/** Waiting for what real processes do: on a condition, never for a time, with a generous limit. */

import { setTimeout as delay } from "node:timers/promises";

export interface UntilOptions {
  readonly limitMs?: number;
  readonly everyMs?: number;
}

/** The first answer of `probe` that is neither null nor false; throws, naming `what`, after the limit. */
export async function until<T>(
  what: string,
  probe: () => T | null | false | Promise<T | null | false>,
  { limitMs = 90_000, everyMs = 20 }: UntilOptions = {},
): Promise<T> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    const answer = await probe();
    if (answer !== null && answer !== false) return answer;
    if (performance.now() > deadlineMs) {
      throw new Error(`waited ${limitMs / 1000} s in vain: ${what}`);
    }
    await delay(everyMs);
  }
}
