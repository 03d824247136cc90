/** A committed entry and the block in it. */

import { decodeBlockPayload } from "../block/codec.ts";
import { BlockError } from "../block/errors.ts";
import type { BlockPayload } from "../block/types.ts";
import type { CommittedEntry } from "./ports.ts";

/** Entries that are decoded together: as many as take some milliseconds, and at least one. */
const sliceMaxEntries = 64;
const sliceMaxBytes = 1024 * 1024;

export interface DecodedEntry {
  readonly entry: CommittedEntry;
  /** Why there is none, of a command that holds none; null for what is no command. */
  readonly payload: BlockPayload | string | null;
}

/** All of them, in the same order. */
export function* slicesOf(
  entries: readonly CommittedEntry[],
): Generator<readonly CommittedEntry[]> {
  let slice: CommittedEntry[] = [];
  let sizeBytes = 0;
  for (const entry of entries) {
    const entryBytes = entry.data?.length ?? 0;
    const isFull = slice.length === sliceMaxEntries || sizeBytes + entryBytes > sliceMaxBytes;
    if (isFull && slice.length > 0) {
      yield slice;
      [slice, sizeBytes] = [[], 0];
    }
    slice.push(entry);
    sizeBytes += entryBytes;
  }
  if (slice.length > 0) yield slice;
}

export function decodeEntry(entry: CommittedEntry): DecodedEntry {
  return { entry, payload: entry.kind === "command" ? decodeBlock(entry) : null };
}

/** The blocks that there are, in the same order. */
export function blocksIn(decoded: readonly DecodedEntry[]): readonly BlockPayload[] {
  return decoded
    .map(({ payload }) => payload)
    .filter((payload) => payload !== null && typeof payload !== "string");
}

function decodeBlock({ data }: CommittedEntry): BlockPayload | string {
  if (data === null) return "the entry is empty";
  try {
    return decodeBlockPayload(data);
  } catch (error) {
    if (error instanceof BlockError) return error.message;
    throw error;
  }
}
