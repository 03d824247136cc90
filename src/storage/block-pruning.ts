/** Which blocks the next transaction of pruning removes, and under which hashes they are found. */

import { defined } from "../base/assert.ts";
import type { Height } from "../block/types.ts";
import { decodeBlockHash } from "./block-codec.ts";
import { type BlockTables, readBlock } from "./block-tables.ts";
import { corrupt, StorageError } from "./errors.ts";
import { numberKey } from "./keys.ts";

/** A transaction removes about so much, which takes no longer than one fsync: whoever waits for the next one hardly notices. */
const sliceBlocksMax = 64;
const sliceBytesMax = 4 * 1024 * 1024;

export interface RemovableBlock {
  readonly height: Height;
  /** Null if neither the block nor the one after it can be read: an entry without its block stays, and is answered as none. */
  readonly hash: Uint8Array | null;
}

/** The blocks from `earliest` on that go together, at least one. All up to the one after `last` are stored. */
export function removableSlice(
  tables: BlockTables,
  earliest: Height,
  last: Height,
): readonly RemovableBlock[] {
  const slice: RemovableBlock[] = [];
  let sizeBytes = 0;
  for (let height = earliest; height <= last && slice.length < sliceBlocksMax; height++) {
    const bytes = tables.blocks.get(numberKey(height), height);
    if (bytes === null) throw corrupt(tables.blocks.place(height), "is missing");
    sizeBytes += bytes.length;
    if (slice.length > 0 && sizeBytes > sliceBytesMax) break;
    slice.push({ height, hash: hashIn(tables, height, bytes) });
  }
  return slice;
}

/** A damaged block must not keep all after it from being removed: the one after it has its hash. */
function hashIn(tables: BlockTables, height: Height, bytes: Uint8Array): Uint8Array | null {
  return (
    unlessDamaged(() => decodeBlockHash(bytes, height, tables.blocks.place(height))) ??
    unlessDamaged(() => {
      const next = defined(readBlock(tables, height + 1), "a removed block is not the last one");
      return next.header.header.lastHeaderHash;
    })
  );
}

function unlessDamaged<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof StorageError && error.detail.code === "STORAGE_CORRUPT") return null;
    throw error;
  }
}
