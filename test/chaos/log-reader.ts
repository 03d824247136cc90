/** What the nodes' logs say, as they say it: who leads, which blocks there are, and what went wrong. */

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import type { Reign } from "./elections.ts";

export interface BlockSeen {
  readonly height: number;
  /** When the first node had it. */
  readonly atMs: number;
}

const leaderLine = /^(\S+Z) INF raft: entering leader state /;
/** A leader leads no more: it says so, or it follows. */
const deposedLine =
  /^(\S+Z) (?:WRN raft: failed to contact quorum of nodes, stepping down|INF raft: entering follower state|INF node state changed from=(?:catchingUp|producing|draining) to=(?:following|recovering)) /;
const blockLine = /^(\S+Z) INF block (produced|applied from raft log) height=(\d+) /;
const goodLine = /^\d{4}-\d\d-\d\dT[\d:.]+Z (?:DBG|INF|WRN) /;

/** Blocks older than those of a few cycles are forgotten. */
const blocksMax = 50_000;
const reignsMax = 1_000;

export class LogReader {
  #reigns: readonly Reign[] = [];
  #errors: readonly { readonly node: LocalNode; readonly line: string }[] = [];
  readonly #nodes: readonly LocalNode[];
  readonly #read = new Map<string, { offset: number; rest: string }>();
  readonly #blocks = new Map<number, number>();

  constructor(nodes: readonly LocalNode[]) {
    this.#nodes = nodes;
  }

  /** Takes in what was written since the last call. */
  advance(): void {
    for (const node of this.#nodes) for (const line of this.#newLines(node)) this.#take(node, line);
    for (const height of this.#blocks.keys()) {
      if (this.#blocks.size <= blocksMax) break;
      this.#blocks.delete(height);
    }
  }

  /** In the order in which they began. */
  get reigns(): readonly Reign[] {
    return this.#reigns;
  }

  /** Sorted by height. */
  blocksFrom(height: number): readonly BlockSeen[] {
    return [...this.#blocks]
      .filter(([known]) => known >= height)
      .map(([known, atMs]) => ({ height: known, atMs }))
      .sort((a, b) => a.height - b.height);
  }

  /** Lines of level ERR, and whatever did not come from the logger. */
  get errors(): readonly string[] {
    return this.#errors.map(({ node, line }) => `${node.id}: ${line}`);
  }

  /** What had to be said: it counts as an error no more. */
  takeErrors(node: LocalNode, pattern: RegExp): readonly string[] {
    const isTaken = (error: { readonly node: LocalNode; readonly line: string }) =>
      error.node === node && pattern.test(error.line);
    const taken = this.#errors.filter(isTaken);
    this.#errors = this.#errors.filter((error) => !isTaken(error));
    return taken.map(({ line }) => line);
  }

  get height(): number {
    return [...this.#blocks.keys()].reduce((highest, height) => Math.max(highest, height), 0);
  }

  #newLines(node: LocalNode): readonly string[] {
    const state = this.#read.get(node.id) ?? { offset: 0, rest: "" };
    const file = openSync(node.logFile, "r");
    try {
      const bytes = new Uint8Array(Math.max(0, fstatSync(file).size - state.offset));
      const count = readSync(file, bytes, 0, bytes.length, state.offset);
      const lines = (state.rest + Buffer.from(bytes.subarray(0, count)).toString()).split("\n");
      this.#read.set(node.id, { offset: state.offset + count, rest: lines.pop() ?? "" });
      return lines;
    } finally {
      closeSync(file);
    }
  }

  #take(node: LocalNode, line: string): void {
    const [, blockTime = "", how = "", height = ""] = blockLine.exec(line) ?? [];
    if (blockTime !== "") {
      const atMs = Date.parse(blockTime);
      if (how === "produced")
        this.#change(node, ({ firstBlockMs }) => ({ firstBlockMs: firstBlockMs ?? atMs }));
      return this.#sawBlock(Number(height), atMs);
    }
    const [, leadsTime = ""] = leaderLine.exec(line) ?? [];
    if (leadsTime !== "") return this.#begin(node, Date.parse(leadsTime));
    const [, deposedTime = ""] = deposedLine.exec(line) ?? [];
    if (deposedTime !== "") {
      return this.#change(node, ({ endedMs }) => ({ endedMs: endedMs ?? Date.parse(deposedTime) }));
    }
    if (!goodLine.test(line) && line !== "") this.#errors = [...this.#errors, { node, line }];
  }

  #begin({ id: nodeId }: LocalNode, beganMs: number): void {
    const reign: Reign = { nodeId, beganMs, firstBlockMs: null, endedMs: null };
    this.#reigns = [...this.#reigns, reign].sort((a, b) => a.beganMs - b.beganMs).slice(-reignsMax);
  }

  /** The node's last reign, unless that is over. */
  #change({ id }: LocalNode, changeOf: (reign: Reign) => Partial<Reign>): void {
    const at = this.#reigns.findLastIndex(({ nodeId }) => nodeId === id);
    const reign = this.#reigns[at];
    if (reign === undefined || reign.endedMs !== null) return;
    this.#reigns = this.#reigns.with(at, { ...reign, ...changeOf(reign) });
  }

  #sawBlock(height: number, atMs: number): void {
    this.#blocks.set(height, Math.min(atMs, this.#blocks.get(height) ?? Number.POSITIVE_INFINITY));
  }
}
