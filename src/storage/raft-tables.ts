/** `raft.mdb`: which tables it has, what their keys are, and how its state is read back. */

import type { Entry, LogIndex } from "../raft/types.ts";
import type { Environment } from "./environment.ts";
import { corrupt, type Place } from "./errors.ts";
import { numberFromKey, numberKey, textKey } from "./keys.ts";
import { decodeEntry, payloadBytes } from "./log-codec.ts";
import { emptyOutline, type LogOutline, outlineHolds, outlineTermAt } from "./log-outline.ts";
import { foreign, wrongVersion } from "./mdb-header.ts";
import { emptyRaftState, type RaftState } from "./raft-state.ts";
import {
  decodeEntryId,
  decodeFormat,
  decodeHardState,
  decodeOrigin,
  decodeOutline,
  encodeFormat,
} from "./stable-codec.ts";
import type { Table } from "./table.ts";

export const raftFileName = "raft.mdb";
export const raftTableNames: readonly string[] = ["log", "stable"];

const product = "ev-sequencer raft";
const formatVersion = 1;

export const formatKey = "format";
export const hardStateKey = "hardState";
export const originKey = "origin";
export const outlineKey = "outline";
export const snapshotKey = "snapshot";

/** Of the end of the log, which a crash would have hurt, this much is read and checked at every start. */
const checkedEntries = 8;
const checkedBytes = 1024 * 1024;

export interface RaftTables {
  /** Index, eight bytes big-endian -> entry record. */
  readonly log: Table;
  /** Name -> record. */
  readonly stable: Table;
}

export function raftTables(environment: Environment): RaftTables {
  return { log: environment.table("log"), stable: environment.table("stable") };
}

/** The incarnation of an existing store; null if the file is new. Throws on a file of another kind. */
export function readIncarnation({ log, stable }: RaftTables, path: string): Uint8Array | null {
  const bytes = stable.get(textKey(formatKey), formatKey);
  if (bytes === null) {
    if (stable.size > 0 || log.size > 0) throw foreign(path);
    return null;
  }
  const format = decodeFormat(bytes, stable.place(formatKey));
  if (format.product !== product) throw foreign(path);
  if (format.version !== formatVersion) throw wrongVersion(path, format.version);
  return format.incarnation;
}

export function formatRecord(incarnation: Uint8Array): Uint8Array {
  return encodeFormat({ product, version: formatVersion, incarnation });
}

/** What was durable when the last process ended. */
export interface StoredRaft {
  readonly state: RaftState;
  /** Entries from here up to the log's first are left over from a compaction. */
  readonly firstStoredIndex: LogIndex;
}

/** Throws STORAGE_CORRUPT where the parts do not fit. */
export function readRaftState(tables: RaftTables): StoredRaft {
  const { stable } = tables;
  const read = <T>(key: string, decode: (bytes: Uint8Array, place: Place) => T, absent: T): T => {
    const bytes = stable.get(textKey(key), key);
    return bytes === null ? absent : decode(bytes, stable.place(key));
  };
  const state: RaftState = {
    hardState: read(hardStateKey, decodeHardState, emptyRaftState.hardState),
    origin: read(originKey, decodeOrigin, emptyRaftState.origin),
    snapshotLast: read(snapshotKey, decodeEntryId, emptyRaftState.snapshotLast),
    outline: emptyRaftState.outline,
  };
  const outline = readOutline(tables, state.snapshotLast.index);
  checkLastEntries(tables.log, outline);
  const firstStoredIndex = readIndex(tables.log, tables.log.firstKey()) ?? outline.firstIndex;
  return { state: { ...state, outline }, firstStoredIndex };
}

function checkLastEntries(log: Table, outline: LogOutline): void {
  const first = Math.max(outline.firstIndex, outline.lastIndex - checkedEntries + 1);
  let sizeBytes = 0;
  for (let index = outline.lastIndex; index >= first && sizeBytes < checkedBytes; index--) {
    sizeBytes += payloadBytes(readEntry(log, outline, index));
  }
}

/** A held entry. Throws STORAGE_CORRUPT if it is not there as it was written. */
export function readEntry(log: Table, outline: LogOutline, index: LogIndex): Entry {
  const place = log.place(index);
  const bytes = log.get(numberKey(index), index);
  if (bytes === null) throw corrupt(place, "is missing");
  const entry = decodeEntry(bytes, index, place);
  if (entry.term !== outlineTermAt(outline, index)) {
    throw corrupt(place, `has term ${entry.term}, which the log's outline denies`);
  }
  return entry;
}

function readOutline({ log, stable }: RaftTables, snapshotIndex: LogIndex): LogOutline {
  const place = stable.place(outlineKey);
  const firstStored = readIndex(log, log.firstKey());
  const last = readIndex(log, log.lastKey());
  if (firstStored === null || last === null) return emptyOutline(snapshotIndex);
  if (log.size !== last - firstStored + 1) {
    const range = `${firstStored}..${last}`;
    throw corrupt(log.place(range), `holds ${log.size} entries, so some are missing`);
  }
  const bytes = stable.get(textKey(outlineKey), outlineKey);
  if (bytes === null) throw corrupt(place, "is missing");
  const stored = decodeOutline(bytes, place);
  // The record and the removal of what was compacted away are on disk at different times. A record
  // without the compacted part says that the rest of the removal did not come to be.
  const first = Math.max(firstStored, stored.terms[0]?.fromIndex ?? 0);
  if (first > snapshotIndex + 1 || last < snapshotIndex) {
    throw corrupt(
      log.place(`${first}..${last}`),
      `does not continue the snapshot at ${snapshotIndex}`,
    );
  }
  const firstRun = stored.terms.findLast((run) => run.fromIndex <= first);
  if (firstRun === undefined) throw corrupt(place, `does not cover entry ${first}`);
  const laterRuns = stored.terms.filter((run) => run.fromIndex > first);
  const bounds = { firstIndex: first, lastIndex: last };
  const outline: LogOutline = {
    ...bounds,
    terms: [{ fromIndex: first, term: firstRun.term }, ...laterRuns],
    configurations: stored.configurations.filter((index) => index >= first),
  };
  const edges = [...laterRuns.map((run) => run.fromIndex), ...outline.configurations];
  const outside = edges.find((index) => !outlineHolds(outline, index));
  if (outside !== undefined) throw corrupt(place, `speaks of entry ${outside}, past the log`);
  return outline;
}

function readIndex(log: Table, key: Uint8Array | null): LogIndex | null {
  if (key === null) return null;
  const index = numberFromKey(key);
  if (index === null) throw corrupt(log.place("key"), "is no index");
  return index;
}
