/** The state machine as of an applied block, for a member that has missed more than the log holds. */

import { concatBytes } from "../base/bytes.ts";
import { encodeBlockPayload } from "../block/codec.ts";
import { encodeTxIdsAt, type TxIdsAt } from "../block/snapshot-codec.ts";
import type { BlockPayload, BlockReader, Height, StoredBlock } from "../block/types.ts";

/** The entry that it is as of, and what restores it (`block/snapshot-codec.ts`). */
export interface SequencerSnapshot {
  readonly index: number;
  readonly term: number;
  readonly data: Uint8Array;
}

export interface SnapshotStore extends BlockReader {
  flushed(): Promise<void>;
  /** Those within the window below `head`, or of them those from a height on; none is removed while they are read. */
  recentTxIds(head: Height, from?: Height): AsyncIterable<TxIdsAt>;
}

/**
 * As of the last block, once that is on disk. null without blocks, and while the last one came from a
 * peer: then its entry is not known.
 */
export async function takeSnapshot(store: SnapshotStore): Promise<SequencerSnapshot | null> {
  const { height, raftIndex: index, raftTerm: term } = store.head;
  const block = store.blockAt(height);
  if (block === null || index === 0) return null;
  const pieces = [encodeBlockPayload(payloadOf(block))];
  await store.flushed();
  for await (const identities of store.recentTxIds(height)) pieces.push(encodeTxIdsAt(identities));
  return { index, term, data: concatBytes(pieces) };
}

function payloadOf({ height, hash, header, data, txIds }: StoredBlock): BlockPayload {
  return {
    height,
    hash,
    timestampNs: header.header.timeNs,
    header,
    data,
    txIds,
    lastSubmittedDaHeaderHeight: 0,
    lastSubmittedDaDataHeight: 0,
  };
}
