/**
 * What whole nodes promise beyond their log: one chain (P1), nothing before commit (P2), one signature a height
 * (P4), and transactions that are there once they are acknowledged, and executed once (P7).
 */

import { emptyBytes, equalBytes, toHex } from "../../../src/base/bytes.ts";
import { decodeBlockPayload } from "../../../src/block/codec.ts";
import { BlockError } from "../../../src/block/errors.ts";
import { headerHash } from "../../../src/block/hash.ts";
import type { Header, Height, StoredBlock, TxLocation } from "../../../src/block/types.ts";
import type { BlockToExecute } from "../../../src/execution/executor.ts";
import type { Entry } from "../../../src/raft/types.ts";
import type { Checker } from "../checkers/checker.ts";
import type { SimulatedNode } from "../node.ts";
import { type Property, Violation } from "../violation.ts";
import type { ChainDisk } from "./chain-disk.ts";
import { contentOf } from "./execution-client.ts";

interface Known {
  readonly block: StoredBlock;
  readonly by: string;
}

export class ChainWatch implements Checker {
  readonly #chain = new Map<Height, Known>();
  readonly #signed = new Map<Height, { readonly hash: Uint8Array; readonly by: string }>();
  /** Where each transaction was executed. */
  readonly #executedAt = new Map<string, Height>();
  /** What committed blocks have executed: digests of their heights, times and transactions. */
  readonly #committed = new Set<string>();
  /** What nodes have said that they keep until it is in a block, and of that what is due in this calm. */
  readonly #accepted = new Map<SimulatedNode, Set<string>>();
  readonly #due = new Map<SimulatedNode, readonly string[]>();
  /** Transactions that will be in no block, as somebody was told, and by whom. */
  readonly #refused = new Map<string, string>();
  #height: Height = 0;
  /** When the calm began. */
  #heightBefore: Height = 0;
  /** What happened how often, for who asks what was gone through. */
  readonly counts = new Map<string, number>();

  /** Of the highest block that any node has applied. */
  get height(): Height {
    return this.#height;
  }

  delivered(_node: SimulatedNode, entries: readonly Entry[]): void {
    for (const { kind, data } of entries) {
      if (kind !== "command" || data === null) continue;
      const block = payloadOf(data);
      if (block === null) continue;
      const { height, header, data: content } = block;
      const { timeNs: timestampNs } = header.header;
      this.#committed.add(toHex(contentOf({ height, timestampNs, txs: content.txs })));
    }
  }

  executing(node: SimulatedNode, block: BlockToExecute): void {
    if (this.#committed.has(toHex(contentOf(block)))) return;
    violate(
      "nothing happens before commit",
      `${node.id} executes a block ${block.height} that is not committed`,
    );
  }

  signing(node: SimulatedNode, disk: ChainDisk, header: Header): void {
    this.count("signed");
    const { height } = header;
    const hash = headerHash(header);
    const isMarked =
      disk.marks.some((mark) => mark.height === height && equalBytes(mark.hash, hash)) ||
      disk.blocks.some(
        (block) => block.header.header.height === height && equalBytes(block.hash, hash),
      );
    if (!isMarked) {
      violate(
        "a height is signed once",
        `${node.id} signs ${height}, and its disk does not say so`,
      );
    }
    const known = this.#signed.get(height);
    if (known === undefined) this.#signed.set(height, { hash, by: node.id });
    else if (!equalBytes(known.hash, hash)) {
      violate(
        "a height is signed once",
        `${known.by} and ${node.id} sign different blocks ${height}`,
      );
    }
  }

  applied(node: SimulatedNode, block: StoredBlock): void {
    const { height } = block;
    const known = this.#chain.get(height);
    if (known !== undefined) {
      if (!equalBytes(known.block.hash, block.hash)) {
        violate(
          "one block at a height",
          `${known.by} and ${node.id} have different blocks ${height}`,
        );
      }
      if (!equalBytes(known.block.appHash, block.appHash)) {
        violate("one block at a height", `${known.by} and ${node.id} differ after block ${height}`);
      }
      if (!haveSameTxs(known.block, block)) {
        const what = `${known.by} and ${node.id} know other transactions in block ${height}`;
        violate("one block at a height", what);
      }
      return;
    }
    this.#chain.set(height, { block, by: node.id });
    this.count("blocks");
    this.#height = Math.max(this.#height, height);
    for (const txId of block.txIds) {
      const before = this.#executedAt.get(toHex(txId));
      if (before !== undefined) {
        const what = `transaction ${toHex(txId).slice(0, 8)} is in blocks ${before} and ${height}`;
        violate("transactions are executed once", what);
      }
      this.#executedAt.set(toHex(txId), height);
      this.#checkRefused(toHex(txId));
    }
  }

  acknowledged(node: SimulatedNode, txId: Uint8Array, { height, index }: TxLocation): void {
    this.count("acknowledged");
    const held = this.#chain.get(height)?.block.txIds[index];
    if (held !== undefined && equalBytes(held, txId)) return;
    const what = `${node.id} says that ${toHex(txId).slice(0, 8)} is in block ${height}, which it is not`;
    violate("acknowledged means durable", what);
  }

  /** Who sent it, once and to this node only, was told that it may send it again as another transaction. */
  refused(node: SimulatedNode, txId: Uint8Array): void {
    this.count("refused for good");
    this.#refused.set(toHex(txId), node.id);
    this.#checkRefused(toHex(txId));
  }

  #checkRefused(id: string): void {
    const by = this.#refused.get(id);
    const height = this.#executedAt.get(id);
    if (by === undefined || height === undefined) return;
    const what = `${by} says that ${id.slice(0, 8)} will be in no block, and it is in ${height}`;
    violate("what is refused stays out", what);
  }

  /** The node has it on its disk, and is to see it through. */
  accepted(node: SimulatedNode, txId: Uint8Array): void {
    const id = toHex(txId);
    if (this.#executedAt.has(id)) return;
    const kept = this.#accepted.get(node) ?? new Set();
    this.#accepted.set(node, kept.add(id));
  }

  /** The node has lost its disk: nobody is left who knows of what it had accepted. */
  forgotten(node: SimulatedNode): void {
    this.#accepted.delete(node);
    this.#due.delete(node);
  }

  calmed(): void {
    this.#heightBefore = this.#height;
    this.#due.clear();
    for (const [node, kept] of this.#accepted) this.#due.set(node, [...kept]);
  }

  /** The chain goes on, and what was accepted before the calm is in a block by its end (P7). */
  owedBy(node: SimulatedNode): string | null {
    if (this.#height <= this.#heightBefore) return `a block follows on ${this.#heightBefore}`;
    const late = this.#due.get(node)?.find((id) => !this.#executedAt.has(id));
    if (late === undefined) return null;
    return `${node.id} has got into a block what it accepted: ${late.slice(0, 8)}`;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** The node stopped for a reason that no restart mends. */
  failed(node: SimulatedNode, task: string, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    violate("no invariant broken", `${node.id} ends with its ${task}: ${text}`, error);
  }
}

/** Identities are state that all nodes have: by them they refuse a repetition. */
function haveSameTxs(a: StoredBlock, b: StoredBlock): boolean {
  return (
    a.txIds.length === b.txIds.length &&
    a.txIds.every((txId, at) => equalBytes(txId, b.txIds[at] ?? emptyBytes))
  );
}

function payloadOf(data: Uint8Array) {
  try {
    return decodeBlockPayload(data);
  } catch (error) {
    if (error instanceof BlockError) return null;
    throw error;
  }
}

function violate(property: Property, what: string, cause?: unknown): never {
  throw new Violation(property, what, { cause });
}
