/** How far a backfill has proven the chain, so that a restart need not do it again: a record in `meta`. */

import type { Height } from "../block/types.ts";
import { corrupt, type Place } from "./errors.ts";
import { textKey } from "./keys.ts";
import { RecordReader, RecordWriter } from "./record.ts";
import type { Table } from "./table.ts";
import type { WriteSet } from "./write-set.ts";

/** A height with the hash that the committed chain has there. */
export interface ProvenHash {
  readonly height: Height;
  readonly hash: Uint8Array;
}

/** In descending height. */
export interface BackfillProgress {
  readonly anchors: readonly ProvenHash[];
}

const progressKey = "backfill";

/** Null if there is none. Throws STORAGE_CORRUPT. */
export function readBackfillProgress(meta: Table): BackfillProgress | null {
  const bytes = meta.get(textKey(progressKey), progressKey);
  return bytes === null ? null : decodeBackfillProgress(bytes, meta.place(progressKey));
}

/** Replaces what was there; an empty list removes it. */
export function writeBackfillProgress(
  writes: WriteSet,
  meta: Table,
  progress: BackfillProgress,
): void {
  if (progress.anchors.length === 0) {
    return writes.add(0, () => meta.remove(textKey(progressKey)));
  }
  const record = encodeBackfillProgress(progress);
  writes.add(record.length, () => meta.put(textKey(progressKey), record));
}

export function encodeBackfillProgress({ anchors }: BackfillProgress): Uint8Array {
  const writer = new RecordWriter().u32(anchors.length);
  for (const { height, hash } of anchors) writer.count(height).bytes(hash);
  return writer.finish();
}

/** Throws STORAGE_CORRUPT. */
export function decodeBackfillProgress(bytes: Uint8Array, place: Place): BackfillProgress {
  const reader = new RecordReader(bytes, place);
  const anchors: ProvenHash[] = [];
  for (let left = reader.u32(); left > 0; left--) {
    const anchor = { height: reader.count(), hash: reader.bytes() };
    if (anchor.height >= (anchors.at(-1)?.height ?? Number.POSITIVE_INFINITY)) {
      throw corrupt(place, "does not descend");
    }
    anchors.push(anchor);
  }
  reader.end();
  return { anchors };
}
