/**
 * The content of a Raft snapshot: the last block's log entry, as ev-node has it, and behind it in a field
 * that ev-node skips the identities of recent transactions, so that whoever begins here judges a
 * repetition as all others do (P7).
 *
 * Protobuf messages can be joined: an encoded snapshot is the entry followed by pieces of that field,
 * which are encoded one by one, since all at once would keep the thread busy.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import { snapshotSizeMaxBytes } from "../base/limits.ts";
import { blockPayloadFrom, checkTxIds } from "./codec.ts";
import { badField } from "./errors.ts";
import { RaftBlockStateSchema } from "./gen/evnode/v1/block_pb.ts";
import type { BlockPayload, Height } from "./types.ts";
import { fromCount, parse, toCount } from "./wire.ts";

/** The identities of one block's transactions, in order. */
export interface TxIdsAt {
  readonly height: Height;
  readonly txIds: readonly Uint8Array[];
}

export interface StateSnapshot {
  readonly block: BlockPayload;
  /** By ascending height; blocks without any are left out. */
  readonly recentTxIds: readonly TxIdsAt[];
}

/** A piece of a snapshot: to be joined to the entry, in ascending height. */
export function encodeTxIdsAt({ height, txIds }: TxIdsAt): Uint8Array {
  return toBinary(
    RaftBlockStateSchema,
    create(RaftBlockStateSchema, {
      recentTxIds: [{ height: fromCount(height, "height"), txIds: [...txIds] }],
    }),
  );
}

/** Throws BlockError. What ev-node wrote has no identities. */
export function decodeStateSnapshot(bytes: Uint8Array): StateSnapshot {
  const what = "snapshot";
  const message = parse(RaftBlockStateSchema, bytes, { what, maxBytes: snapshotSizeMaxBytes });
  const recentTxIds = message.recentTxIds.map(({ height, txIds }): TxIdsAt => {
    checkTxIds(txIds, what);
    // They become keys of a block store. Those of a block are judged with it, as part of its validity.
    if (txIds.some(({ length }) => length === 0))
      throw badField(what, "recent_tx_ids", "has an empty one");
    return { height: toCount(height, { what, field: "height" }), txIds };
  });
  return { block: blockPayloadFrom(message, what), recentTxIds };
}
