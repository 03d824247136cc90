/** The head of the chain, from the last stored block: there is no second record that could disagree. */

import { emptyBytes, toHex } from "../base/bytes.ts";
import { dataHashes } from "../block/hash.ts";
import type { ChainHead, Height, StoredBlock } from "../block/types.ts";
import { type BlockTables, readBlock, readHeightOf } from "./block-tables.ts";
import type { ChainIdentity } from "./chain-identity.ts";
import { corrupt } from "./errors.ts";

/** What the block after `block` builds on. */
export function headOf(block: StoredBlock): ChainHead {
  const { height, hash, header, data, appHash, raftIndex, raftTerm } = block;
  const { timeNs } = header.header;
  return { height, hash, dataHash: dataHashes(data).hash, timeNs, appHash, raftIndex, raftTerm };
}

/** What the first block builds on. */
export function genesisHead({
  initialHeight,
  genesisTimeNs,
  appHash,
}: Pick<ChainIdentity, "initialHeight" | "genesisTimeNs" | "appHash">): ChainHead {
  return {
    height: initialHeight - 1,
    hash: emptyBytes,
    dataHash: emptyBytes,
    timeNs: genesisTimeNs,
    appHash,
    raftIndex: 0,
    raftTerm: 0,
  };
}

/** The head as stored: that of the last block, or what the genesis says. Throws STORAGE_CORRUPT. */
export function readHead(
  tables: BlockTables,
  latest: Height | null,
  genesis: ChainIdentity,
): ChainHead {
  if (latest === null) return genesisHead(genesis);
  const block = readBlock(tables, latest);
  if (block === null) throw corrupt(tables.blocks.place(latest), "is missing");
  if (readHeightOf(tables, block.hash) !== latest) {
    throw corrupt(tables.hashes.place(`0x${toHex(block.hash)}`), `does not lead to ${latest}`);
  }
  return headOf(block);
}
