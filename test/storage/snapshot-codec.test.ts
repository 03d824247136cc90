/** A snapshot's file: what is written is read, and writing a large one leaves room for heartbeats (P13). */

import { expect, it } from "vitest";
import { concatBytes } from "../../src/base/bytes.ts";
import {
  decodeSnapshot,
  decodeSnapshotInTurns,
  encodeSnapshot,
} from "../../src/storage/snapshot-codec.ts";
import { snapshotAt } from "./raft-store-contract.ts";

const place = { path: "1-9.snp", database: "snapshot", key: "1-9" };

it.each([0, 1, 512 * 1024, 3_000_000])("%d bytes come back as they were", async (sizeBytes) => {
  const data = Uint8Array.from({ length: sizeBytes }, (_, at) => (at * 31) & 0xff);
  const snapshot = { ...snapshotAt(9, 1), data };
  const file = concatBytes(await encodeSnapshot(snapshot));
  const read = decodeSnapshot(file, place);
  expect({ ...read, data: null }).toEqual({ ...snapshot, data: null });
  expect(Buffer.from(read.data).equals(data)).toBe(true);
  expect((await decodeSnapshotInTurns(file, place)).last).toEqual(snapshot.last);
  file[file.length - 1] = (file[file.length - 1] ?? 0) ^ 1;
  expect(() => decodeSnapshot(file, place)).toThrow("does not match its checksum");
  await expect(decodeSnapshotInTurns(file, place)).rejects.toThrow("does not match its checksum");
});

it("lets others have their turn while it sums a large one up, to write it or to send it", async () => {
  let turns = 0;
  let timer = setImmediate(function count() {
    turns++;
    timer = setImmediate(count);
  });
  const snapshot = { ...snapshotAt(9, 1), data: new Uint8Array(8 * 1024 * 1024) };
  const pieces = await encodeSnapshot(snapshot);
  expect(turns).toBeGreaterThanOrEqual(15);
  turns = 0;
  await decodeSnapshotInTurns(concatBytes(pieces), place);
  clearImmediate(timer);
  expect(turns).toBeGreaterThanOrEqual(15);
});
