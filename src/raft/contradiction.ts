/**
 * Messages that no server which keeps to the protocol can send: from a broken build, a member of
 * another cluster, or somebody who only claims to be one. They are refused before they can change
 * anything; what they say is input, and no proof of a bug in this process.
 *
 * A second leader in one term, or one that lacks what is committed, is another matter: it shows that
 * safety is lost somewhere, and this server stops (follower.ts).
 */

import type { AppendEntriesRequest, Message } from "./message.ts";
import type { RaftServer } from "./server.ts";
import type { Term } from "./types.ts";

/**
 * A server that campaigned every millisecond for a month comes this far. Believing a term near 2^53
 * would end all elections, in this cluster and for good.
 */
export const termLeapMax = 2 ** 32;

/** Whether `message` was refused: then the sender is told so, if it asked something. */
export function refuseContradiction(server: RaftServer, message: Message): boolean {
  const reason = contradictionIn(server, message);
  if (reason === null) return false;
  server.emit({ kind: "messageRefused", from: message.from, message: message.kind, reason });
  answer(server, message);
  return true;
}

function contradictionIn(server: RaftServer, message: Message): string | null {
  if ("term" in message && message.term - server.currentTerm > termLeapMax) {
    return `its term ${message.term} is no successor of ${server.currentTerm}`;
  }
  switch (message.kind) {
    case "appendEntriesRequest":
      return badTerms(message);
    case "installSnapshotRequest":
      return futureTerm(message.snapshot.last.term, message.term);
    default:
      return null;
  }
}

/** Terms do not decrease along a log, none is later than the leader's, and there is none before its beginning. */
function badTerms({ term, prev, entries }: AppendEntriesRequest): string | null {
  if (prev.index === 0 && prev.term !== 0)
    return `no entry of term ${prev.term} is before the first`;
  let last = prev;
  for (const entry of entries) {
    if (entry.term < last.term) return `entry ${entry.index} is of an earlier term than its parent`;
    last = entry;
  }
  return futureTerm(last.term, term);
}

function futureTerm(entryTerm: Term, term: Term): string | null {
  return entryTerm <= term ? null : `it has an entry of term ${entryTerm}, after its own, ${term}`;
}

/** As an old term is answered: the sender learns the term here, and nothing else. */
function answer(server: RaftServer, message: Message): void {
  const { currentTerm: term, log } = server;
  const envelope = { to: message.from, id: message.id, term };
  switch (message.kind) {
    case "heartbeatRequest":
      return server.sendNow({
        kind: "heartbeatResponse",
        ...envelope,
        success: false,
        lastLogIndex: log.lastIndex,
        sentAtMs: message.sentAtMs,
        readiness: server.readiness,
      });
    case "appendEntriesRequest":
      return server.sendNow({
        kind: "appendEntriesResponse",
        ...envelope,
        success: false,
        lastLogIndex: log.lastIndex,
        noRetryBackoff: false,
        matchIndex: message.prev.index + message.entries.length,
        prevLogIndex: message.prev.index,
        sentAtMs: message.sentAtMs,
        readiness: server.readiness,
      });
    case "installSnapshotRequest":
      return server.sendNow({
        kind: "installSnapshotResponse",
        ...envelope,
        success: false,
        snapshotIndex: message.snapshot.last.index,
      });
    case "requestVoteRequest":
      return server.sendNow({ kind: "requestVoteResponse", ...envelope, granted: false });
    case "requestPreVoteRequest":
      return server.sendNow({ kind: "requestPreVoteResponse", ...envelope, granted: false });
    default:
      return;
  }
}
