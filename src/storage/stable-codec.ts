/** The records of the `stable` table: what the file is, what this server promised, what the log holds. */

import type { EntryId, HardState, LogIndex, Origin } from "../raft/types.ts";
import type { Place } from "./errors.ts";
import type { LogOutline, TermRun } from "./log-outline.ts";
import { RecordReader, RecordWriter } from "./record.ts";

/** What a file is, so that one of another program or another format is refused and not misread. */
export interface FileFormat {
  readonly product: string;
  readonly version: number;
  /** Random at creation: two files with the same one are copies of each other. */
  readonly incarnation: Uint8Array;
}

export function encodeFormat(format: FileFormat): Uint8Array {
  const { product, version, incarnation } = format;
  return new RecordWriter().text(product).u32(version).bytes(incarnation).finish();
}

export function decodeFormat(bytes: Uint8Array, place: Place): FileFormat {
  const reader = new RecordReader(bytes, place);
  // What follows belongs to the version that wrote it: only these three never move.
  return { product: reader.text(), version: reader.u32(), incarnation: reader.bytes().slice() };
}

export function encodeHardState({ currentTerm, votedFor }: HardState): Uint8Array {
  return new RecordWriter().count(currentTerm).text(votedFor).finish();
}

export function decodeHardState(bytes: Uint8Array, place: Place): HardState {
  const reader = new RecordReader(bytes, place);
  const hardState = { currentTerm: reader.count(), votedFor: reader.nullableText() };
  reader.end();
  return hardState;
}

export function encodeOrigin({ baseHeight, recovery }: Origin): Uint8Array {
  const writer = new RecordWriter().count(baseHeight).u32(recovery === null ? 0 : 1);
  if (recovery !== null) writer.count(recovery.minTerm).count(recovery.untilIndex);
  return writer.finish();
}

export function decodeOrigin(bytes: Uint8Array, place: Place): Origin {
  const reader = new RecordReader(bytes, place);
  const baseHeight = reader.count();
  const flag = reader.u32();
  if (flag > 1) throw reader.malformed(`holds the flag ${flag}`);
  const recovery = flag === 1 ? { minTerm: reader.count(), untilIndex: reader.count() } : null;
  reader.end();
  return { baseHeight, recovery };
}

export function encodeEntryId({ term, index }: EntryId): Uint8Array {
  return new RecordWriter().count(term).count(index).finish();
}

export function decodeEntryId(bytes: Uint8Array, place: Place): EntryId {
  const reader = new RecordReader(bytes, place);
  const id = { term: reader.count(), index: reader.count() };
  reader.end();
  return id;
}

/** What of an outline the keys of the log do not tell. */
export type StoredOutline = Pick<LogOutline, "terms" | "configurations">;

export function encodeOutline({ terms, configurations }: StoredOutline): Uint8Array {
  const writer = new RecordWriter().u32(terms.length);
  for (const { fromIndex, term } of terms) writer.count(fromIndex).count(term);
  writer.u32(configurations.length);
  for (const index of configurations) writer.count(index);
  return writer.finish();
}

export function decodeOutline(bytes: Uint8Array, place: Place): StoredOutline {
  const reader = new RecordReader(bytes, place);
  const terms: TermRun[] = [];
  for (let left = reader.u32(); left > 0; left--) {
    terms.push({ fromIndex: reader.count(), term: reader.count() });
  }
  const configurations: LogIndex[] = [];
  for (let left = reader.u32(); left > 0; left--) configurations.push(reader.count());
  reader.end();
  return { terms, configurations };
}
