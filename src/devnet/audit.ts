/**
 * Holds the cluster to its promises, from outside: the blocks of all nodes are read over HTTP, and
 * must be one chain in which every acknowledged transaction stands once, at the height it was told.
 *
 * What all nodes agree on, and none will show again, is settled and forgotten: a devnet may run for days.
 */

import { z } from "zod";
import type { LoadKeys } from "./load-keys.ts";
import type { LocalNode } from "./local-node.ts";
import { NumberSet } from "./number-set.ts";

/**
 * A node that was killed may have lost the last blocks from its disk and have applied them again, so
 * these are read once more. What is older was on disk.
 */
const rereadBlocks = 100;

/** More of the same kind says nothing new. */
const violationsMax = 10;

const blockSchema = z.object({
  height: z.number(),
  hash: z.string(),
  /** Of the state after the block. */
  app_hash: z.string(),
  signature: z.string(),
  /** 0 where the block came from a peer. */
  raft_index: z.number(),
  raft_term: z.number(),
  header: z.object({ last_header_hash: z.string() }),
  data: z.object({ txs: z.array(z.string()) }),
});

type Block = z.infer<typeof blockSchema>;

/** What all nodes must say alike of a block. */
interface Seen {
  readonly nodeId: string;
  readonly hash: string;
  readonly appHash: string;
  readonly signature: string;
  /** Entry and term in the log; null as long as nobody knows it. */
  entry: { readonly nodeId: string; readonly text: string } | null;
}

export class Audit {
  readonly #keys: LoadKeys;
  readonly #nodeIds: readonly string[];
  /** By height, as the first node that was asked has it. */
  readonly #seen = new Map<number, Seen>();
  /** By node: every block up to there was compared. */
  readonly #comparedTo = new Map<string, number>();
  readonly #acknowledged = new Map<number, number>();
  #acknowledgedCount = 0;
  #acknowledgedHeight = 0;
  readonly #found = new Map<number, number>();
  readonly #violations: string[] = [];
  /** Blocks up to here are settled, the transactions below with their blocks. */
  #settledHeight = 0;
  readonly #settled = new NumberSet();

  constructor(keys: LoadKeys, nodeIds: readonly string[]) {
    this.#keys = keys;
    this.#nodeIds = nodeIds;
  }

  /** How much is remembered: blocks and transactions that are not settled. */
  get size(): number {
    return this.#seen.size + this.#acknowledged.size + this.#found.size;
  }

  /** A node answered that the transaction is in the block at `height`. */
  acknowledged(sequence: number, height: number): void {
    this.#acknowledged.set(sequence, height);
    this.#acknowledgedCount++;
    this.#acknowledgedHeight = Math.max(this.#acknowledgedHeight, height);
  }

  /** The node's disk may not hold all that it has shown. */
  restarted(node: LocalNode): void {
    const comparedTo = this.#comparedTo.get(node.id) ?? 0;
    this.#comparedTo.set(node.id, Math.max(0, comparedTo - rereadBlocks));
  }

  /** Compares the node's blocks up to `height`; false if it does not give one of them. */
  async advance(node: LocalNode, height: number, signal?: AbortSignal): Promise<boolean> {
    for (let next = this.comparedTo(node) + 1; next <= height; next++) {
      if (signal?.aborted) return false;
      const block = blockSchema.safeParse((await node.get(`/block/${next}`))?.body).data;
      if (block === undefined) return false;
      this.#compare(node, block);
      this.#comparedTo.set(node.id, next);
      this.#settle();
    }
    return true;
  }

  comparedTo(node: LocalNode): number {
    return this.#comparedTo.get(node.id) ?? 0;
  }

  /** Transactions that a client was told the height of. */
  get acknowledgedCount(): number {
    return this.#acknowledgedCount;
  }

  /** The highest height that a client was told. */
  get acknowledgedHeight(): number {
    return this.#acknowledgedHeight;
  }

  /** What no later block can mend. */
  get violations(): readonly string[] {
    return this.#violations;
  }

  /** All violations, once every node was compared up to the last height. */
  conclude(): readonly string[] {
    const lost: string[] = [];
    for (const [sequence, height] of this.#acknowledged) {
      const found = this.#found.get(sequence);
      if (found === undefined) {
        lost.push(`transaction ${sequence} was acknowledged at height ${height} and is nowhere`);
      } else if (found !== height) {
        lost.push(
          `transaction ${sequence} was acknowledged at height ${height} and is at ${found}`,
        );
      }
    }
    const all = [...this.#violations, ...lost];
    if (all.length <= violationsMax) return all;
    return [...all.slice(0, violationsMax), `and ${all.length - violationsMax} more`];
  }

  #compare({ id: nodeId }: LocalNode, block: Block): void {
    const { height, hash, app_hash: appHash, signature } = block;
    if (height <= this.#settledHeight) return;
    const known = this.#seen.get(height);
    const entry = entryOf(nodeId, block);
    if (known === undefined) {
      this.#read(block, { nodeId, hash, appHash, signature, entry });
      return;
    }
    const differ = (what: string, theirs: string, ours: string, otherId: string) =>
      this.#violations.push(
        `two ${what} at height ${height}: ${theirs} on ${nodeId}, ${ours} on ${otherId}`,
      );
    if (known.hash !== hash) differ("blocks", hash, known.hash, known.nodeId);
    else if (known.appHash !== appHash) differ("states", appHash, known.appHash, known.nodeId);
    else if (known.signature !== signature) {
      differ("signatures", signature, known.signature, known.nodeId);
    }
    known.entry ??= entry;
    if (entry === null || known.entry === null || entry.text === known.entry.text) return;
    differ("entries", entry.text, known.entry.text, known.entry.nodeId);
  }

  /** A height that no node has shown before. */
  #read({ height, header, data }: Block, seen: Seen): void {
    const parent = this.#seen.get(height - 1)?.hash;
    if (parent !== undefined && parent !== header.last_header_hash) {
      this.#violations.push(`block ${height} follows ${header.last_header_hash}, not ${parent}`);
    }
    this.#seen.set(height, seen);
    for (const tx of data.txs) {
      const sequence = this.#keys.sequenceOf(Buffer.from(tx, "hex"));
      if (sequence === null) continue;
      const before = this.#found.get(sequence);
      if (before !== undefined) {
        this.#violations.push(`transaction ${sequence} is at height ${before} and at ${height}`);
      } else if (this.#settled.has(sequence)) {
        this.#violations.push(`transaction ${sequence} is at height ${height} and at a lower one`);
      } else {
        this.#found.set(sequence, height);
      }
    }
  }

  /** In steps: it goes through everything that is not settled. */
  #settle(): void {
    const compared = this.#nodeIds.map((id) => this.#comparedTo.get(id) ?? 0);
    const height = Math.min(...compared) - rereadBlocks;
    if (height < this.#settledHeight + rereadBlocks) return;
    // The next block is still to link to this one.
    for (let old = this.#settledHeight; old < height; old++) this.#seen.delete(old);
    this.#settledHeight = height;
    for (const [sequence, found] of this.#found) {
      if (found > height || this.#acknowledged.get(sequence) !== found) continue;
      this.#found.delete(sequence);
      this.#acknowledged.delete(sequence);
      this.#settled.add(sequence);
    }
  }
}

function entryOf(nodeId: string, { raft_index: index, raft_term: term }: Block): Seen["entry"] {
  return index === 0 ? null : { nodeId, text: `${index} of term ${term}` };
}
