/** A chain of signed blocks in memory, and readers that hold all of it or a part. */

import { defined } from "../../src/base/assert.ts";
import { emptyBytes, equalBytes } from "../../src/base/bytes.ts";
import { buildBlock } from "../../src/block/build.ts";
import { privateKeyFromSeed } from "../../src/block/ed25519.ts";
import { BlockError } from "../../src/block/errors.ts";
import { dataHashes } from "../../src/block/hash.ts";
import { BlockSigner } from "../../src/block/sign.ts";
import type { BlockReader, ChainHead, StoredBlock } from "../../src/block/types.ts";

export const chainId = "p2p-test";

const startTimeNs = 1_700_000_000_000_000_000n;

export function signerOf(seedByte: number): BlockSigner {
  return new BlockSigner(privateKeyFromSeed(new Uint8Array(32).fill(seedByte)));
}

export const signer = signerOf(7);

export interface ChainOptions {
  readonly length: number;
  readonly chainId?: string;
  readonly signer?: BlockSigner;
  /** The transactions of a block; a short one in every third block by default. */
  readonly txsAt?: (height: number) => readonly Uint8Array[];
}

/** Blocks 1 to `length`. */
export function buildChain(options: ChainOptions): readonly StoredBlock[] {
  const chain = {
    chainId: options.chainId ?? chainId,
    initialHeight: 1,
    genesisTimeNs: startTimeNs,
  };
  const proposer = options.signer ?? signer;
  const blocks: StoredBlock[] = [];
  let head = genesisHead;
  for (let height = 1; height <= options.length; height++) {
    const txs = (options.txsAt ?? shortTxs)(height);
    const { hash, header, data } = buildBlock({
      head,
      genesis: chain,
      txs,
      txIds: txs.map((_, at) => Uint8Array.of(at)),
      nowNs: startTimeNs + BigInt(height) * 1_000_000_000n,
      proposer: proposer.signer,
    });
    const signed = proposer.sign(header.header);
    const appHash = new Uint8Array(32).fill(height % 256);
    blocks.push({
      height,
      hash,
      header: signed,
      data,
      txIds: [],
      appHash,
      raftIndex: height,
      raftTerm: 1,
    });
    head = headAfter(blocks, height);
  }
  return blocks;
}

function shortTxs(height: number): readonly Uint8Array[] {
  return height % 3 === 0 ? [new TextEncoder().encode(`key-${height}=value`)] : [];
}

const genesisHead: ChainHead = {
  height: 0,
  hash: emptyBytes,
  dataHash: emptyBytes,
  timeNs: startTimeNs,
  appHash: new Uint8Array(32),
  raftIndex: 0,
  raftTerm: 0,
};

/** The head of a node that has applied `height` blocks of the chain. */
export function headAfter(blocks: readonly StoredBlock[], height: number): ChainHead {
  if (height === 0) return genesisHead;
  const { hash, header, data, appHash } = blockAt(blocks, height);
  return {
    height,
    hash,
    dataHash: dataHashes(data).hash,
    timeNs: header.header.timeNs,
    appHash,
    raftIndex: height,
    raftTerm: 1,
  };
}

export function blockAt(blocks: readonly StoredBlock[], height: number): StoredBlock {
  return defined(blocks[height - 1], `the chain has a block ${height}`);
}

/** A node's blocks: those from `earliest` to `head`. */
export class MemoryBlocks implements BlockReader {
  earliest: number;
  headHeight: number;
  /** Held, and not readable. */
  damaged: number | null = null;
  readonly #blocks: readonly StoredBlock[];

  constructor(blocks: readonly StoredBlock[], { earliest = 1, head = blocks.length } = {}) {
    this.#blocks = blocks;
    this.earliest = earliest;
    this.headHeight = head;
  }

  get head(): ChainHead {
    return headAfter(this.#blocks, this.headHeight);
  }

  get earliestHeight(): number | null {
    return this.headHeight === 0 ? null : this.earliest;
  }

  blockAt(height: number): StoredBlock | null {
    if (height < this.earliest || height > this.headHeight) return null;
    if (height === this.damaged) {
      throw new BlockError({ code: "BLOCK_DAMAGED", height }, `block ${height} is damaged`);
    }
    return blockAt(this.#blocks, height);
  }

  heightOf(hash: Uint8Array): number | null {
    const found = this.#blocks.find((block) => equalBytes(block.hash, hash));
    return found === undefined ? null : (this.blockAt(found.height)?.height ?? null);
  }
}
