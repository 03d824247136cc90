/** What a server has stored, without payloads, and what a Persist does to it. Pure. */

import { assert } from "../base/assert.ts";
import type { Persist } from "../raft/ready.ts";
import type { EntryId, HardState, LogIndex, Origin } from "../raft/types.ts";
import { appendEntries, emptyOutline, type LogOutline, truncateOutline } from "./log-outline.ts";

export interface RaftState {
  readonly hardState: HardState;
  readonly origin: Origin;
  /** 0/0 without a snapshot. */
  readonly snapshotLast: EntryId;
  readonly outline: LogOutline;
}

export const emptyRaftState: RaftState = {
  hardState: { currentTerm: 0, votedFor: null },
  origin: { baseHeight: 0, recovery: null },
  snapshotLast: { term: 0, index: 0 },
  outline: emptyOutline(0),
};

/** `state` once `persist` is durable: snapshot first, then truncation, then entries. */
export function afterPersist(state: RaftState, persist: Persist): RaftState {
  let { hardState, snapshotLast, outline } = state;
  if (persist.hardState !== null) {
    checkHardState(hardState, persist.hardState);
    hardState = persist.hardState;
  }
  if (persist.snapshot !== null) {
    snapshotLast = persist.snapshot.last;
    outline = emptyOutline(snapshotLast.index);
  }
  if (persist.truncateFrom !== null) outline = truncateOutline(outline, persist.truncateFrom);
  const origin = persist.origin ?? state.origin;
  return { hardState, origin, snapshotLast, outline: appendEntries(outline, persist.entries) };
}

/** `state` once a snapshot of the own state machine at `last` is durable. The log stays as it is. */
export function afterSnapshotTaken(state: RaftState, last: EntryId): RaftState {
  // A leader's snapshot may have overtaken it meanwhile.
  if (last.index <= state.snapshotLast.index) return state;
  assert(last.index <= state.outline.lastIndex, "a snapshot holds only what the log held", {
    last,
    outline: state.outline,
  });
  return { ...state, snapshotLast: last };
}

/** The first index that `persist` takes out of a log with this outline; null if it takes none. */
export function removedFrom(outline: LogOutline, persist: Persist): LogIndex | null {
  if (persist.snapshot !== null) return outline.firstIndex;
  return persist.truncateFrom;
}

/** Terms only grow, and a vote once given stays given for its term (Raft §5.2). */
function checkHardState(from: HardState, to: HardState): void {
  assert(to.currentTerm >= from.currentTerm, "currentTerm never goes back", { from, to });
  const keepsVote = from.votedFor === null || from.votedFor === to.votedFor;
  assert(to.currentTerm > from.currentTerm || keepsVote, "a vote never changes within its term", {
    from,
    to,
  });
}
