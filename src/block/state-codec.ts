/** ev-node's State message: where a chain stands after a block. For its RPC; nothing here is hashed. */

import { create, toBinary } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { malformed } from "./errors.ts";
import { StateSchema } from "./gen/evnode/v1/state_pb.ts";
import { signedHeaderMaxBytes } from "./limits.ts";
import { chainIdFrom, versionFrom, versionMessage } from "./messages.ts";
import type { Height, Version } from "./types.ts";
import { fromCount, parse, short, toCount } from "./wire.ts";

export interface ChainState {
  readonly version: Version;
  readonly chainId: string;
  readonly initialHeight: Height;
  readonly lastBlockHeight: Height;
  readonly lastBlockTimeNs: bigint;
  readonly daHeight: number;
  readonly appHash: Uint8Array;
  readonly lastHeaderHash: Uint8Array;
  readonly nextProposerAddress: Uint8Array;
}

const nsPerSecond = 1_000_000_000n;

export function encodeState(state: ChainState): Uint8Array {
  // Of a time before 1970 the seconds are rounded down: the nanoseconds never go back (protobuf's Timestamp).
  const nanos = ((state.lastBlockTimeNs % nsPerSecond) + nsPerSecond) % nsPerSecond;
  const message = create(StateSchema, {
    version: versionMessage(state.version),
    chainId: state.chainId,
    initialHeight: fromCount(state.initialHeight, "initial_height"),
    lastBlockHeight: fromCount(state.lastBlockHeight, "last_block_height"),
    lastBlockTime: create(TimestampSchema, {
      seconds: (state.lastBlockTimeNs - nanos) / nsPerSecond,
      nanos: Number(nanos),
    }),
    daHeight: fromCount(state.daHeight, "da_height"),
    appHash: state.appHash,
    lastHeaderHash: state.lastHeaderHash,
    nextProposerAddress: state.nextProposerAddress,
  });
  return toBinary(StateSchema, message);
}

export function decodeState(bytes: Uint8Array): ChainState {
  const what = "chain state";
  const message = parse(StateSchema, bytes, { what, maxBytes: signedHeaderMaxBytes });
  const { seconds = 0n, nanos = 0 } = message.lastBlockTime ?? {};
  if (nanos < 0 || nanos >= nsPerSecond) throw malformed(what);
  return {
    version: versionFrom(message.version, what),
    chainId: chainIdFrom(message.chainId, what),
    initialHeight: toCount(message.initialHeight, { what, field: "initial_height" }),
    lastBlockHeight: toCount(message.lastBlockHeight, { what, field: "last_block_height" }),
    lastBlockTimeNs: seconds * nsPerSecond + BigInt(nanos),
    daHeight: toCount(message.daHeight, { what, field: "da_height" }),
    appHash: short(message.appHash, { what, field: "app_hash" }),
    lastHeaderHash: short(message.lastHeaderHash, { what, field: "last_header_hash" }),
    nextProposerAddress: short(message.nextProposerAddress, {
      what,
      field: "next_proposer_address",
    }),
  };
}
