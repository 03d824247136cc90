/**
 * A server that lost its disk: what it must regain before it votes again, so that it breaks no promise
 * which it no longer remembers (P6). README.md has the proof.
 */

import type { AppendEntriesRequest } from "./message.ts";
import type { RaftServer } from "./server.ts";
import type { LogIndex, Standing } from "./types.ts";

/**
 * Called when the log is known to match the leader's up to `matchIndex`. The leader's term is at least
 * `minTerm`, since this server began in that one. An entry of the leader's own term means that all which
 * the leader had at its election is here; its commit index, that nothing is missing which it has counted
 * on this server's lost copy for. In `minTerm` itself that leader may be the one whose entries were
 * acknowledged, and one of hashicorp's goes on counting them: there the log must be as long as any.
 */
export function regain(
  server: RaftServer,
  { term, leaderCommit }: AppendEntriesRequest,
  matchIndex: LogIndex,
): void {
  const { origin, log } = server;
  const { recovery } = origin;
  if (recovery === null) return;
  const isLeadersOwn = log.termAt(matchIndex) === term;
  const isLongEnough = term > recovery.minTerm || matchIndex >= recovery.untilIndex;
  if (!isLeadersOwn || !isLongEnough || matchIndex < leaderCommit) return;
  server.setOrigin({ ...origin, recovery: null });
  server.emit({ kind: "recovered", term, lastIndex: matchIndex });
}

/**
 * Called for a request of the leader before it is answered. A leader first sends what follows the entries that this server
 * once acknowledged to it, so these end before `prev`; one of hashicorp's goes on counting the lost copies of them.
 */
export function mindLostCopies(server: RaftServer, { term, prev }: AppendEntriesRequest): void {
  const { origin } = server;
  const { recovery } = origin;
  if (recovery === null || term > recovery.minTerm || prev.index <= recovery.untilIndex) return;
  server.setOrigin({ ...origin, recovery: { ...recovery, untilIndex: prev.index } });
}

export function standingOf({ origin, log, readiness }: RaftServer): Standing {
  return {
    memory: origin.recovery === null ? "whole" : "partial",
    lastLogIndex: log.lastIndex,
    height: readiness.appliedHeight,
    baseHeight: origin.baseHeight,
  };
}
