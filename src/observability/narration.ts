/** A log line before it is written: what the describe functions return, and a simulation can assert on. */
import type { Facts, LogLevel } from "./log-format.ts";
import type { Logger } from "./logger.ts";

type Component = "" | "raft" | "p2p" | "execution";

export interface Narration {
  readonly level: LogLevel;
  readonly component: Component;
  readonly facts: Facts;
  readonly sentence: string;
  /** Set where a peer, a stranger or a long outage could repeat the line without end. */
  readonly repeatKey: string | null;
  /** A line with a repeatKey is written once in this time, with a count of what was left out. */
  readonly repeatEveryMs: number;
}

const repeatIntervalMs = 5_000;

export function line(
  component: Component,
  level: LogLevel,
  facts: Facts,
  sentence: string,
): Narration {
  return { component, level, facts, sentence, repeatKey: null, repeatEveryMs: repeatIntervalMs };
}

export function repeated(repeatKey: string, narration: Narration): Narration {
  return { ...narration, repeatKey };
}

/** Said once, as long as it is remembered: it will be true again and again, and tell nothing more. */
export function once(repeatKey: string, narration: Narration): Narration {
  return { ...narration, repeatKey, repeatEveryMs: Number.POSITIVE_INFINITY };
}

export function writeNarration(log: Logger, narration: Narration, atMs: number): void {
  const { component, level, facts, sentence, repeatKey, repeatEveryMs } = narration;
  const named = component === "" ? log : log.child(component);
  const allowed = repeatKey === null ? named : named.every(repeatKey, repeatEveryMs);
  allowed?.[level](facts, sentence, atMs);
}
