/** What asks a command to end: signals, each heard as one request however often it arrives. */

import { constants } from "node:os";

/** Below npm, one Ctrl-C arrives twice: from the terminal, and passed on by npm. */
const sameRequestMs = 1_000;

/**
 * Calls `stop` once. A second request, which is no echo of the first, means now: the process exits with 128 and the
 * signal's number, as a shell would report it.
 */
export function onStopSignal(
  signals: readonly ("SIGINT" | "SIGTERM" | "SIGHUP")[],
  stop: (signal: NodeJS.Signals) => void,
): void {
  let askedMs: number | null = null;
  const onSignal = (signal: NodeJS.Signals) => {
    if (askedMs === null) {
      askedMs = performance.now();
      stop(signal);
    } else if (performance.now() - askedMs > sameRequestMs) {
      process.exit(128 + constants.signals[signal]);
    }
  };
  for (const signal of signals) process.on(signal, onSignal);
}
