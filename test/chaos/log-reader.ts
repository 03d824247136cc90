/** What the nodes' logs say, as they say it: who leads, which blocks there are, and what went wrong. */

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { LocalNode } from "../../src/devnet/local-node.ts";

export interface Elected {
  readonly nodeId: string;
  readonly atMs: number;
}

export interface BlockSeen {
  readonly height: number;
  /** When the first node had it. */
  readonly atMs: number;
}

const leaderLine = /^(\S+Z) INF raft: entering leader state /;
const blockLine = /^(\S+Z) INF block (?:produced|applied from raft log) height=(\d+) /;
const goodLine = /^\d{4}-\d\d-\d\dT[\d:.]+Z (?:DBG|INF|WRN) /;

/** Blocks older than those of a few cycles are forgotten. */
const blocksMax = 50_000;

export class LogReader {
  readonly elected: Elected[] = [];
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
    const [, blockTime = "", height = ""] = blockLine.exec(line) ?? [];
    if (blockTime !== "") return this.#sawBlock(Number(height), Date.parse(blockTime));
    const [, time = ""] = leaderLine.exec(line) ?? [];
    if (time !== "") this.elected.push({ nodeId: node.id, atMs: Date.parse(time) });
    else if (!goodLine.test(line) && line !== "") this.#errors = [...this.#errors, { node, line }];
  }

  #sawBlock(height: number, atMs: number): void {
    this.#blocks.set(height, Math.min(atMs, this.#blocks.get(height) ?? Number.POSITIVE_INFINITY));
  }
}
