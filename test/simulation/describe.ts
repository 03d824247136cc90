/** Messages and entries as the transcript shows them. */

import { unreachable } from "../../src/base/assert.ts";
import type { Message } from "../../src/raft/message.ts";
import type { Persist } from "../../src/raft/ready.ts";
import type { Entry, EntryId } from "../../src/raft/types.ts";

/** `term/index`. */
export function describeId({ term, index }: EntryId): string {
  return `${term}/${index}`;
}

export function describeEntries(entries: readonly Entry[]): string {
  const [first] = entries;
  const last = entries.at(-1);
  if (first === undefined || last === undefined) return "none";
  return first === last ? describeId(first) : `${describeId(first)}..${describeId(last)}`;
}

export function describeMessage(message: Message): string {
  switch (message.kind) {
    case "heartbeatRequest":
      return `Heartbeat term=${message.term}`;
    case "heartbeatResponse":
      return `HeartbeatResponse term=${message.term} success=${message.success} last=${message.lastLogIndex}`;
    case "appendEntriesRequest":
      return `AppendEntries term=${message.term} prev=${describeId(message.prev)} entries=${describeEntries(message.entries)} commit=${message.leaderCommit}`;
    case "appendEntriesResponse":
      return `AppendEntriesResponse term=${message.term} success=${message.success} match=${message.matchIndex} last=${message.lastLogIndex}`;
    case "requestVoteRequest":
      return `RequestVote term=${message.term} last=${describeId(message.last)}${message.leadershipTransfer ? " transfer" : ""}`;
    case "requestVoteResponse":
      return `RequestVoteResponse term=${message.term} granted=${message.granted}`;
    case "requestPreVoteRequest":
      return `RequestPreVote term=${message.term} last=${describeId(message.last)} ready=${message.readiness?.isReady}`;
    case "requestPreVoteResponse":
      return `RequestPreVoteResponse term=${message.term} granted=${message.granted}`;
    case "installSnapshotRequest":
      return `InstallSnapshot term=${message.term} last=${describeId(message.snapshot.last)}`;
    case "installSnapshotResponse":
      return `InstallSnapshotResponse term=${message.term} success=${message.success} last=${message.snapshotIndex}`;
    case "timeoutNowRequest":
      return "TimeoutNow";
    case "timeoutNowResponse":
      return "TimeoutNowResponse";
    default:
      return unreachable(message);
  }
}

export function describePersist(persist: Persist): string {
  const parts = [`#${persist.sequence}`];
  if (persist.hardState !== null) {
    parts.push(
      `term=${persist.hardState.currentTerm} vote=${persist.hardState.votedFor ?? "none"}`,
    );
  }
  if (persist.snapshot !== null) parts.push(`snapshot=${describeId(persist.snapshot.last)}`);
  if (persist.truncateFrom !== null) parts.push(`truncate=${persist.truncateFrom}`);
  if (persist.entries.length > 0) parts.push(`entries=${describeEntries(persist.entries)}`);
  return parts.join(" ");
}
