/** What a node says and takes while it comes back. */

import { readFileSync } from "node:fs";
import { onTestFinished } from "vitest";
import type { LocalNode } from "../../../src/devnet/local-node.ts";

/** null if it is ready; undefined if it does not answer. */
export async function unreadyReason(node: LocalNode): Promise<string | null | undefined> {
  try {
    const response = await fetch(`${node.rpcUrl}/health/ready`);
    const text = await response.text();
    return response.ok ? null : text;
  } catch {
    // A process that is starting does not answer.
    return undefined;
  }
}

interface MemorySample {
  readonly height: number;
  readonly mebibytes: number;
}

const sampleEveryMs = 50;

export class Watch {
  readonly roles = new Set<string>();
  readonly unreadyReasons = new Set<string>();
  readonly #memory: MemorySample[] = [];
  readonly #node: LocalNode;
  readonly #timer: NodeJS.Timeout;
  #height = 0;

  /** Looks at its memory from now on, whether it answers or not. */
  constructor(node: LocalNode) {
    this.#node = node;
    this.#timer = setInterval(() => this.#sample(), sampleEveryMs);
    onTestFinished(() => this.stop());
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Whether it is ready and at `height`. */
  async isBack(height: number): Promise<boolean> {
    const status = await this.#node.status();
    const reason = await unreadyReason(this.#node);
    if (status === null || reason === undefined) return false;
    if (status.raft !== null) this.roles.add(status.raft.role);
    if (reason !== null) this.unreadyReasons.add(reason.replace(/\d+/g, "N"));
    this.#height = status.height;
    return reason === null && status.height >= height;
  }

  #sample(): void {
    if (!this.#node.isRunning) return;
    const mebibytes = anonymousMiB(this.#node);
    if (mebibytes !== null) this.#memory.push({ height: this.#height, mebibytes });
  }

  /** The most memory that it took in each of `count` equal stretches of the way between two heights; 0 where it was not seen. */
  memoryMiB({ from, to }: { from: number; to: number }, count: number): readonly number[] {
    const peaks = new Array<number>(count).fill(0);
    for (const { height, mebibytes } of this.#memory) {
      const stretch = Math.floor(((height - from) / (to - from)) * count);
      const peak = peaks[stretch];
      if (peak !== undefined) peaks[stretch] = Math.max(peak, mebibytes);
    }
    return peaks;
  }
}

/** Of the process's own, without the files that it maps: those the kernel takes back when it needs room. null once it has ended. */
function anonymousMiB({ pid }: LocalNode): number | null {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kibibytes = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined) return null;
  return Math.round(Number(kibibytes) / 1024);
}
