/** Which chain a block store belongs to, written at creation and compared at every start. */

import { equalBytes, toHex } from "../base/bytes.ts";
import type { Height } from "../block/types.ts";
import { type Place, StorageError } from "./errors.ts";
import { RecordReader, RecordWriter } from "./record.ts";

export interface ChainIdentity {
  readonly chainId: string;
  readonly initialHeight: Height;
  readonly genesisTimeNs: bigint;
  /** Hash of the genesis file. */
  readonly genesisHash: Uint8Array;
  /** The state before the first block, as the executor has it. */
  readonly appHash: Uint8Array;
}

export function encodeChainIdentity(identity: ChainIdentity): Uint8Array {
  return new RecordWriter()
    .text(identity.chainId)
    .count(identity.initialHeight)
    .u64(identity.genesisTimeNs)
    .bytes(identity.genesisHash)
    .bytes(identity.appHash)
    .finish();
}

export function decodeChainIdentity(bytes: Uint8Array, place: Place): ChainIdentity {
  const reader = new RecordReader(bytes, place);
  const identity = {
    chainId: reader.text(),
    initialHeight: reader.count(),
    genesisTimeNs: reader.u64(),
    genesisHash: reader.bytes(),
    appHash: reader.bytes(),
  };
  reader.end();
  return identity;
}

/** Throws STORAGE_FOREIGN_CHAIN if the blocks in `path` are not those of `expected`. */
export function checkSameChain(path: string, expected: ChainIdentity, found: ChainIdentity): void {
  const isSame =
    expected.chainId === found.chainId &&
    expected.initialHeight === found.initialHeight &&
    expected.genesisTimeNs === found.genesisTimeNs &&
    equalBytes(expected.genesisHash, found.genesisHash) &&
    equalBytes(expected.appHash, found.appHash);
  if (isSame) return;
  const sides = { expected: describe(expected), found: describe(found) };
  throw new StorageError(
    { code: "STORAGE_FOREIGN_CHAIN", path, ...sides },
    `${path} holds blocks of ${sides.found}, but this node runs ${sides.expected}. ` +
      "Give the node the genesis file that the blocks belong to, or a home directory of its own.",
  );
}

function describe({ chainId, initialHeight, genesisHash, appHash }: ChainIdentity): string {
  const genesis = `genesis 0x${toHex(genesisHash)}, state 0x${toHex(appHash)}`;
  return `chain ${chainId} from height ${initialHeight} (${genesis})`;
}
