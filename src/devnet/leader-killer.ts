/**
 * kill -9 for the leader, again and again, and how long the chain stands still each time: from the
 * last block before to the first block of the next term, as a client of another node sees them.
 */

import { z } from "zod";
import { sleep } from "../base/task-group.ts";
import type { LocalNode } from "./local-node.ts";
import { type ClusterView, isWhole } from "./watch.ts";

/** How often the witness is asked around a kill: what a gap is off by, at most. */
const witnessIntervalMs = 10;

/** Without a block for so long, the chain has not merely changed its leader. */
const gapMaxMs = 30_000;

const blockSchema = z.object({ raft_term: z.number() });

export interface LeaderKillerOptions {
  readonly intervalMs: number;
  readonly blockTimeMs: number;
  readonly view: () => ClusterView;
  readonly nodes: readonly LocalNode[];
  readonly kill: (node: LocalNode) => void;
  readonly onNote: (text: string) => void;
  readonly onFailure: (problem: string) => void;
}

interface SeenBlock {
  readonly height: number;
  readonly seenAtMs: number;
}

export class LeaderKiller {
  readonly gapsMs: number[] = [];
  readonly #options: LeaderKillerOptions;

  constructor(options: LeaderKillerOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { intervalMs, blockTimeMs, view } = this.#options;
    for (let dueMs = performance.now() + intervalMs; ; dueMs += intervalMs) {
      await sleep(Math.max(0, dueMs - performance.now()), signal);
      // Two kills in a row would take its majority.
      while (!signal.aborted && !isWhole(view(), blockTimeMs)) await sleep(50, signal);
      if (signal.aborted) return;
      dueMs = Math.max(dueMs, performance.now() - intervalMs / 2);
      await this.#killLeader(signal);
    }
  }

  async #killLeader(signal: AbortSignal): Promise<void> {
    const { nodes, blockTimeMs, kill, onNote, onFailure } = this.#options;
    const { leaderId, term } = this.#options.view();
    const leader = nodes.find((node) => node.id === leaderId);
    if (leader === undefined) return;
    const witness = nodes.find((node) => node !== leader) ?? leader;
    // At any moment of the block time, not always right after a block.
    const last = await this.#lastBlock(witness, Math.random() * blockTimeMs, signal);
    if (last === null || signal.aborted) return;
    const pid = leader.pid;
    kill(leader);
    onNote(`kill -9 ${leader.id} (leader in term ${term}, process ${pid})`);
    const next = await firstOfNextTerm(witness, last, term, signal);
    if (next.kind === "found") {
      this.gapsMs.push(next.gapMs);
      onNote(`blocks again after a gap of ${Math.round(next.gapMs)} ms, at height ${next.height}`);
    } else if (next.kind === "none") {
      onFailure(`no block within ${gapMaxMs / 1000} s after ${leader.id} was killed`);
    }
  }

  /** The newest block, its arrival seen, at `delayMs` after the first that arrives. */
  async #lastBlock(
    witness: LocalNode,
    delayMs: number,
    signal: AbortSignal,
  ): Promise<SeenBlock | null> {
    const deadlineMs = performance.now() + gapMaxMs;
    let known = (await witness.status())?.height ?? null;
    let last: SeenBlock | null = null;
    let endMs = deadlineMs;
    while (!signal.aborted && performance.now() < endMs) {
      const height = (await witness.status())?.height;
      const seenAtMs = performance.now();
      if (height !== undefined && known !== null && height > known) {
        if (last === null) endMs = seenAtMs + delayMs;
        last = { height, seenAtMs };
      }
      known = height ?? known;
      await sleep(witnessIntervalMs, signal);
    }
    return last;
  }
}

type NextBlock =
  | { readonly kind: "found"; readonly height: number; readonly gapMs: number }
  | { readonly kind: "none" }
  | { readonly kind: "aborted" };

/** Blocks of the old term may still arrive: they were on their way, and end no gap. */
async function firstOfNextTerm(
  witness: LocalNode,
  before: SeenBlock,
  term: number,
  signal: AbortSignal,
): Promise<NextBlock> {
  const deadlineMs = performance.now() + gapMaxMs;
  let last = before;
  while (performance.now() < deadlineMs) {
    if (signal.aborted) return { kind: "aborted" };
    const height = (await witness.status())?.height ?? last.height;
    const seenAtMs = performance.now();
    if (height > last.height) {
      const answer = await witness.get(`/block/${height}`);
      const blockTerm = blockSchema.safeParse(answer?.body).data?.raft_term ?? term;
      if (blockTerm > term) return { kind: "found", height, gapMs: seenAtMs - last.seenAtMs };
      last = { height, seenAtMs };
    }
    await sleep(witnessIntervalMs, signal);
  }
  return { kind: "none" };
}
