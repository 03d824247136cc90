/** What the cycles showed, as a table and as JSON. */

import { describeDistribution } from "../e2e/harness/distribution.ts";
import type { CycleResult } from "./cycles.ts";
import type { FaultName } from "./faults.ts";

export interface ChaosReport {
  readonly nodes: number;
  readonly rttMs: number;
  readonly farRttMs: number;
  readonly blockTimeMs: number;
  readonly seed: number;
  readonly height: number;
  readonly acknowledged: number;
  readonly unanswered: number;
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
    ...kinds.map((kind) => describeKind(kind, cycles)),
    violations.length === 0
      ? "nothing lost, nothing twice, one chain, one leader a term"
      : `VIOLATIONS\n${violations.map((violation) => `  ${violation}`).join("\n")}`,
  ];
  return `${lines.join("\n")}\n`;
}

function describeKind(kind: FaultName, cycles: readonly CycleResult[]): string {
  const all = cycles.filter(({ fault }) => fault === kind);
  const done = all.filter(({ isSkipped }) => !isSkipped);
  const elections = done.flatMap(({ electionMs }) => (electionMs === null ? [] : [electionMs]));
  const undetected = done.filter(({ isUndetected }) => isUndetected).length;
  return [
    `${kind.padEnd(9)} ${all.length} cycles, ${all.length - done.length} skipped, ${undetected} undetected elections`,
    elections.length === 0 ? "no elections" : `elections ${describeDistribution(elections)}`,
    done.length === 0 ? "no gaps" : `gaps ${describeDistribution(done.map(({ gapMs }) => gapMs))}`,
  ].join("; ");
}
