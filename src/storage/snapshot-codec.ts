/** A snapshot file: eight bytes that say so, with the format's version, then one record. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { crc32c, equalBytes } from "../base/bytes.ts";
import type { Server, Snapshot, Suffrage } from "../raft/types.ts";
import { corrupt, type Place } from "./errors.ts";
import { checksumBytes, RecordReader, RecordWriter } from "./record.ts";

const magic: Uint8Array = new TextEncoder().encode("EVSNAP01");

/** Of the state machine's data, this much is summed up in one turn: a heartbeat waits for a millisecond or two. */
const turnBytes = 512 * 1024;

/**
 * The file as the pieces to write, in order. A snapshot may be large, and whoever takes one has heartbeats
 * to answer: it is neither copied nor summed up at once.
 */
export async function encodeSnapshot(snapshot: Snapshot): Promise<readonly Uint8Array[]> {
  const { data } = snapshot;
  const writer = new RecordWriter().count(snapshot.last.term).count(snapshot.last.index);
  writer.count(snapshot.configurationIndex).u32(snapshot.configuration.servers.length);
  for (const { id, address, suffrage } of snapshot.configuration.servers) {
    writer.text(id).text(address).text(suffrage);
  }
  const head = writer.u32(data.length).finish();
  const checksum = await sumInTurns(data, crc32c(head.subarray(checksumBytes)));
  new DataView(head.buffer, head.byteOffset).setUint32(0, checksum);
  return [magic, head, data];
}

/** As {@link decodeSnapshot}, for a snapshot that may be large. */
export async function decodeSnapshotInTurns(bytes: Uint8Array, place: Place): Promise<Snapshot> {
  const summed = bytes.subarray(magic.length + checksumBytes);
  return decodeSnapshot(bytes, place, await sumInTurns(summed));
}

async function sumInTurns(bytes: Uint8Array, before?: number): Promise<number> {
  let checksum = crc32c(bytes.subarray(0, turnBytes), before);
  for (let at = turnBytes; at < bytes.length; at += turnBytes) {
    await nextTurn();
    checksum = crc32c(bytes.subarray(at, at + turnBytes), checksum);
  }
  return checksum;
}

/**
 * Throws STORAGE_CORRUPT unless `bytes` are a snapshot as it was written. `data` is a view on them.
 * `checksum` is that of its record, if it has been summed up.
 */
export function decodeSnapshot(bytes: Uint8Array, place: Place, checksum?: number): Snapshot {
  if (!equalBytes(bytes.subarray(0, magic.length), magic)) {
    throw corrupt(place, "does not begin like a snapshot of this version");
  }
  const reader = new RecordReader(bytes.subarray(magic.length), place, checksum);
  const last = { term: reader.count(), index: reader.count() };
  const configurationIndex = reader.count();
  const servers: Server[] = [];
  for (let left = reader.u32(); left > 0; left--) {
    servers.push({ id: reader.text(), address: reader.text(), suffrage: readSuffrage(reader) });
  }
  const data = reader.bytes();
  reader.end();
  return { last, configuration: { servers }, configurationIndex, data };
}

function readSuffrage(reader: RecordReader): Suffrage {
  const suffrage = reader.text();
  if (suffrage === "voter" || suffrage === "nonvoter" || suffrage === "staging") return suffrage;
  throw reader.malformed("has an unknown suffrage");
}
