/** What the cycles showed, as a table and as JSON. */

import { describeDistribution } from "../e2e/harness/distribution.ts";
import type { CycleResult } from "./cycles.ts";
import type { FaultName } from "./faults.ts";
import type { RegisterCounts } from "./registers.ts";

export interface ChaosReport {
  readonly nodes: number;
  readonly rttMs: number;
  readonly farRttMs: number;
  readonly blockTimeMs: number;
  readonly seed: number;
  readonly height: number;
  readonly acknowledged: number;
  readonly unanswered: number;
  readonly registers: RegisterCounts;
  readonly cycles: readonly CycleResult[];
  /** What must never be: each is one. */
  readonly violations: readonly string[];
}

export function describeReport(report: ChaosReport): string {
  const { nodes, rttMs, farRttMs, blockTimeMs, seed, cycles, violations } = report;
  const far = farRttMs > rttMs ? `, one node at ${farRttMs} ms` : "";
  const network = rttMs > 0 ? `round trip ${rttMs} ms${far}` : "loopback";
  const kinds = [...new Set(cycles.map(({ fault }) => fault))];
  const lines = [
    `${nodes} nodes, ${network}, a block every ${blockTimeMs} ms, seed ${seed}`,
    `${report.acknowledged} transactions acknowledged, ${report.unanswered} without an answer, ${report.height} blocks`,
    describeRegisters(report.registers),
    ...kinds.map((kind) => describeKind(kind, cycles)),
    violations.length === 0
      ? "nothing lost, nothing twice, nothing stale, one chain, one leader a term"
      : `VIOLATIONS\n${violations.map((violation) => `  ${violation}`).join("\n")}`,
  ];
  return `${lines.join("\n")}\n`;
}

function describeRegisters(counts: RegisterCounts): string {
  const { keys, writes, refused, unanswered, reads, staleReads } = counts;
  return `${keys} registers judged: ${writes} writes (${refused} more not kept, ${unanswered} without an answer), ${reads} linearizable reads, ${staleReads} stale ones`;
}

/** One line, as soon as it is over. */
export function describeCycle(cycle: CycleResult): string {
  const { fault, victimId, wasLeader, what, isSkipped, losses, undetected } = cycle;
  if (isSkipped) return `${fault} skipped: ${what}`;
  const times = [
    `election ${cycle.electionMs === null ? "-" : `${Math.round(cycle.electionMs)} ms`}`,
    `gap ${Math.round(cycle.gapMs)} ms`,
    ...(losses > 1 ? [`${losses} leaders lost`] : []),
    ...(undetected > 0 ? [`${undetected} UNDETECTED`] : []),
  ];
  return `${victimId}${wasLeader ? " (leader)" : ""}: ${what}; ${times.join(", ")}`;
}

function describeKind(kind: FaultName, cycles: readonly CycleResult[]): string {
  const all = cycles.filter(({ fault }) => fault === kind);
  const done = all.filter(({ isSkipped }) => !isSkipped);
  const losses = sum(done.map((cycle) => cycle.losses));
  // Where no leader was lost there was nothing to detect.
  const undetected = losses === 0 ? "-" : sum(done.map((cycle) => cycle.undetected));
  const elections = done.flatMap(({ electionMs }) => electionMs ?? []);
  return [
    `${kind.padEnd(9)} ${all.length} cycles, ${all.length - done.length} skipped`,
    `${losses} leaders lost, undetected elections ${undetected}`,
    `longest election ${longest(elections)}`,
    `elections ${describeTimes(elections)}`,
    `gaps ${describeTimes(done.map(({ gapMs }) => gapMs))}`,
  ].join("; ");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function longest(timesMs: readonly number[]): string {
  return timesMs.length === 0 ? "-" : `${Math.round(Math.max(...timesMs))} ms`;
}

function describeTimes(timesMs: readonly number[]): string {
  return timesMs.length === 0 ? "-" : describeDistribution(timesMs);
}
