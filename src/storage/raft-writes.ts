/** A Persist as puts and removals. Everything is encoded before the transaction begins, which must not throw. */

import type { Persist } from "../raft/ready.ts";
import type { EntryId, LogIndex } from "../raft/types.ts";
import { numberKey, textKey } from "./keys.ts";
import { encodeEntry } from "./log-codec.ts";
import { afterPersist, type RaftState } from "./raft-state.ts";
import {
  hardStateKey,
  originKey,
  outlineKey,
  type RaftTables,
  snapshotKey,
} from "./raft-tables.ts";
import type { RecordMemory } from "./record-memory.ts";
import { encodeEntryId, encodeHardState, encodeOrigin, encodeOutline } from "./stable-codec.ts";
import type { WriteSet } from "./write-set.ts";

/** Adds what takes the tables from `state` to the state after `persist`, which it returns; its entries' records are in `memory`. */
export function addPersist(
  writes: WriteSet,
  { log, stable }: RaftTables,
  state: RaftState,
  persist: Persist,
  memory: RecordMemory,
): RaftState {
  const after = afterPersist(state, persist);
  if (persist.hardState !== null) {
    const record = encodeHardState(persist.hardState);
    writes.add(record.length, () => stable.put(textKey(hardStateKey), record));
  }
  if (persist.origin !== undefined) {
    const record = encodeOrigin(persist.origin);
    writes.add(record.length, () => stable.put(textKey(originKey), record));
  }
  if (persist.snapshot !== null) {
    writes.add(0, () => log.clear());
    addSnapshotLast(writes, { log, stable }, persist.snapshot.last);
  } else if (persist.truncateFrom !== null) {
    addRemoval(writes, { log, stable }, persist.truncateFrom, state.outline.lastIndex);
  }
  for (const entry of persist.entries) {
    const key = numberKey(entry.index);
    const record = encodeEntry(entry, memory);
    writes.add(key.length + record.length, () => log.put(key, record));
  }
  const { terms, configurations } = after.outline;
  if (terms !== state.outline.terms || configurations !== state.outline.configurations) {
    const record = encodeOutline(after.outline);
    writes.add(record.length, () => stable.put(textKey(outlineKey), record));
  }
  return after;
}

export function addSnapshotLast(writes: WriteSet, { stable }: RaftTables, last: EntryId): void {
  const record = encodeEntryId(last);
  writes.add(record.length, () => stable.put(textKey(snapshotKey), record));
}

/** Adds the removal of entries `from` to `through`, both included. */
export function addRemoval(
  writes: WriteSet,
  { log }: RaftTables,
  from: LogIndex,
  through: LogIndex,
): void {
  for (let index = from; index <= through; index++) {
    const key = numberKey(index);
    writes.add(key.length, () => log.remove(key));
  }
}
