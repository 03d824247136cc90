/**
 * Blocks are kept (P1, P7): each that is committed is on a majority of disks, as a block or as an entry of the log. A
 * snapshot of the log is no copy of them: it holds the last one only, and the others must be on the same node's disk.
 */

import type { Height, StoredBlock } from "../../../src/block/types.ts";
import type { RaftEvent } from "../../../src/raft/event.ts";
import { majorityOf } from "../../../src/raft/quorum.ts";
import type { EntryId, LogIndex } from "../../../src/raft/types.ts";
import type { AppliedState } from "../applied-state.ts";
import type { Checker } from "../checkers/checker.ts";
import { describeId } from "../describe.ts";
import type { SimulatedNode } from "../node.ts";
import { Violation } from "../violation.ts";
import type { ChainDisk } from "./chain-disk.ts";

export class BlockCopies implements Checker {
  readonly #diskOf: (node: SimulatedNode) => ChainDisk;
  #nodes: readonly SimulatedNode[] = [];
  /** The entries of all blocks that anybody has applied, from the first height on. */
  readonly #entries: EntryId[] = [];
  /** Up to where a node held blocks, perhaps, that it was made to lose. */
  readonly #lostThrough = new Map<SimulatedNode, Height>();

  constructor(diskOf: (node: SimulatedNode) => ChainDisk) {
    this.#diskOf = diskOf;
  }

  begin(nodes: readonly SimulatedNode[]): void {
    this.#nodes = nodes;
  }

  /** Whether it has not got back all blocks that it was made to lose. */
  lacksBlocks(node: SimulatedNode): boolean {
    return this.#heldBy(node) < (this.#lostThrough.get(node) ?? 0);
  }

  applied({ height, raftIndex: index, raftTerm: term }: StoredBlock): void {
    // Whoever is the first to apply a block has it from the log.
    if (height !== this.#entries.length + 1) return;
    this.#entries.push({ index, term });
    // Their logs may have held it before anybody knew it to be committed.
    for (const node of this.#nodes) if (node.lacksMemory) this.#lostThrough.set(node, height);
    this.#check("it was applied");
  }

  snapshotTaken(node: SimulatedNode, { index, term }: AppliedState): void {
    const isHeld = this.#diskOf(node).blocks.some(
      (block) => block.raftIndex === index && block.raftTerm === term,
    );
    if (isHeld) return;
    const what = `${node.id} takes a snapshot of ${describeId({ index, term })}, whose block is not on its disk`;
    throw new Violation("snapshots stand for the log", what);
  }

  compacting(node: SimulatedNode, through: LogIndex): void {
    const last = this.#entries.findLastIndex(({ index }) => index <= through) + 1;
    if (this.#heldBy(node) >= last || this.lacksBlocks(node)) return;
    const what = `${node.id} removes ${through} from its log, and block ${last} is not on its disk`;
    throw new Violation("snapshots stand for the log", what);
  }

  /** It takes the place of a log, which may have held blocks that this node has not executed. */
  happened(node: SimulatedNode, event: RaftEvent): void {
    if (event.kind === "snapshotInstalled") this.#check(`${node.id} has installed a snapshot`);
  }

  ended(node: SimulatedNode): void {
    this.#check(`${node.id} has died`);
  }

  /** The log may have held blocks that were not on the other disk yet. */
  wiped(node: SimulatedNode): void {
    this.lost(node);
  }

  /** It has lost its blocks, its log, or both. */
  lost(node: SimulatedNode): void {
    this.#lostThrough.set(node, this.#entries.length);
    this.#check(`${node.id} has lost its disk`);
  }

  judge(): void {
    this.#check("there is calm");
  }

  #check(when: string): void {
    const needed = majorityOf(this.#nodes.length);
    // What a node has got back it may lose again, and that is another loss.
    for (const node of this.#nodes) if (!this.lacksBlocks(node)) this.#lostThrough.delete(node);
    // Blocks have no gap on any disk: up to here there are enough of them, whatever the logs hold.
    const held = this.#nodes.map((node) => this.#heldBy(node)).sort((a, b) => b - a);
    for (let height = (held[needed - 1] ?? 0) + 1; height <= this.#entries.length; height++) {
      const copies = this.#nodes.filter((node) => this.#mayHold(node, height)).length;
      if (copies >= needed) continue;
      const what = `${when}, and block ${height} is on ${copies} of ${this.#nodes.length} disks`;
      throw new Violation("acknowledged means durable", what);
    }
  }

  #mayHold(node: SimulatedNode, height: Height): boolean {
    if (height <= this.#heldBy(node) || height <= (this.#lostThrough.get(node) ?? 0)) return true;
    const entry = this.#entries[height - 1];
    if (entry === undefined) return false;
    return node.durable.entryAt(entry.index)?.term === entry.term;
  }

  #heldBy(node: SimulatedNode): Height {
    return this.#diskOf(node).blocks.length;
  }
}
