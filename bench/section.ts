/** A part of the benchmark that can be run by itself (`--only`). */

import type { Comparison } from "./comparison.ts";
import type { Figure, Floor } from "./figure.ts";
import { fdatasyncMs, tcpRoundTripMs } from "./floor.ts";

export interface Effort {
  /** For each measurement of latency or throughput. */
  readonly seconds: number;
  /** Before a latency is measured: until then V8 still compiles what a commit runs. */
  readonly warmUpCommits: number;
  /** Kills, and hand-overs. */
  readonly failovers: number;
  /** Of clusters with empty folders. */
  readonly coldStarts: number;
  /** Entries that a member which comes back has missed. */
  readonly catchUpEntries: number;
  /** Blocks of the long chain that a node is started with. */
  readonly chainBlocks: number;
  /** Blocks for each load of an Ethereum client. */
  readonly engineBlocks: number;
  /** Samples of each floor. */
  readonly floorSamples: number;
}

export interface SectionContext {
  readonly workDir: string;
  readonly effort: Effort;
  readonly execArgv: readonly string[];
  /** Between the members, where we are compared with others. */
  readonly networks: readonly NetworkName[];
  note(text: string): void;
  compared(comparison: Comparison): void;
}

export const networkNames = ["loopback", "slow"] as const;
export type NetworkName = (typeof networkNames)[number];

export interface Section {
  readonly name: string;
  run(context: SectionContext): Promise<readonly Figure[]>;
}

/** One write on a disk and one round trip, of the same size, measured now. */
export async function commitFloor(
  { workDir, effort }: SectionContext,
  sizeBytes: number,
): Promise<Floor> {
  const count = Math.max(20, Math.floor(effort.floorSamples / Math.max(1, sizeBytes / 16_384)));
  const disk = await fdatasyncMs({ workDir, sizeBytes, count });
  const network = await tcpRoundTripMs(sizeBytes, count);
  return {
    name: "fdatasync + round trip",
    samples: disk.map((diskMs, at) => diskMs + (network[at] ?? Number.NaN)),
  };
}
