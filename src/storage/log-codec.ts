/** A log entry as a record. It holds its own index, so that an entry under a wrong key is noticed. */

import { unreachable } from "../base/assert.ts";
import type { Entry, EntryKind, LogIndex } from "../raft/types.ts";
import type { Place } from "./errors.ts";
import { RecordReader, RecordWriter } from "./record.ts";
import type { RecordMemory } from "./record-memory.ts";

/** Besides its payload: index, term, kind, time and three lengths. */
const fixedBytes = 48;

export function encodeEntry(entry: Entry, memory: RecordMemory): Uint8Array {
  return new RecordWriter(fixedBytes + payloadBytes(entry), (sizeBytes) => memory.take(sizeBytes))
    .count(entry.index)
    .count(entry.term)
    .u8(kindNumber(entry.kind))
    .bytes(entry.appendedAt)
    .bytes(entry.extensions)
    .bytes(entry.data)
    .finish();
}

/** Throws STORAGE_CORRUPT unless `bytes` are entry `index` as it was written. Payloads are views on `bytes`. */
export function decodeEntry(bytes: Uint8Array, index: LogIndex, place: Place): Entry {
  const reader = new RecordReader(bytes, place);
  const storedIndex = reader.count();
  if (storedIndex !== index) throw reader.malformed(`holds entry ${storedIndex}`);
  const term = reader.count();
  const kind = kinds[reader.u8()];
  if (kind === undefined) throw reader.malformed("has an unknown kind");
  const appendedAt = reader.nullableBytes();
  const extensions = reader.nullableBytes();
  const data = reader.nullableBytes();
  reader.end();
  return { index, term, kind, appendedAt, extensions, data };
}

/** Bytes that count towards a limit on the size of what is read. */
export function payloadBytes(entry: Entry): number {
  return (entry.data?.length ?? 0) + (entry.extensions?.length ?? 0);
}

/** hashicorp/raft's numbers for its log types. */
const kinds: readonly EntryKind[] = [
  "command",
  "noop",
  "addPeer",
  "removePeer",
  "barrier",
  "configuration",
];

function kindNumber(kind: EntryKind): number {
  switch (kind) {
    case "command":
      return 0;
    case "noop":
      return 1;
    case "addPeer":
      return 2;
    case "removePeer":
      return 3;
    case "barrier":
      return 4;
    case "configuration":
      return 5;
    default:
      return unreachable(kind);
  }
}
