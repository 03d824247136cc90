/** What a leader on the bench hears. */

import type { Readiness } from "../../../src/raft/types.ts";
import { Bench } from "./bench.ts";

export const ready: Readiness = { isReady: true, appliedHeight: 9, priority: 0 };
export const unready: Readiness = { ...ready, isReady: false };

export function leader(...[stored = {}, options = {}]: ConstructorParameters<typeof Bench>): Bench {
  const bench = new Bench(stored, options);
  bench.becomeLeader();
  return bench;
}

export function peer(bench: Bench, id: string) {
  return bench.core.status.peers.find((status) => status.id === id);
}

/** An answer to a heartbeat sent just now. */
export function heartbeatAnswered(
  bench: Bench,
  from: string,
  lastLogIndex: number,
  said = ready,
): void {
  bench.receive(from, {
    kind: "heartbeatResponse",
    term: bench.core.currentTerm,
    success: true,
    lastLogIndex,
    sentAtMs: bench.nowMs,
    readiness: said,
  });
}

export function refused(bench: Bench, from: string, prevLogIndex: number, hint: number): void {
  bench.receive(from, {
    kind: "appendEntriesResponse",
    term: bench.core.currentTerm,
    success: false,
    lastLogIndex: hint,
    noRetryBackoff: true,
    matchIndex: prevLogIndex + 1,
    prevLogIndex,
    sentAtMs: bench.nowMs,
  });
}

export function failed(
  bench: Bench,
  kind: "appendEntriesRequest" | "heartbeatRequest",
  to: string,
): void {
  const { currentTerm: term } = bench.core;
  bench.step({ kind: "rpcFailed", request: { kind, to, id: 0, term } });
}
