/** A run for people, and for programs. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { aimText } from "./aims.ts";
import type { Comparison } from "./comparison.ts";
import type { Distribution, Figure } from "./figure.ts";
import type { Machine } from "./machine.ts";

export interface Report {
  readonly startedAt: string;
  readonly machine: Machine;
  readonly figures: readonly Figure[];
  readonly comparisons: readonly Comparison[];
  readonly notes: readonly string[];
}

/** Writes the report into `directory`; returns its path. */
export function writeReport(report: Report, directory: string): string {
  const path = join(directory, `${report.startedAt.replaceAll(":", "-")}.json`);
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
  return path;
}

const columns = ["", "p50", "p95", "p99", "max", "unit", "n", "floor", "ratio"] as const;

export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    `${figure.section}: ${figure.name}`,
    number(figure.p50),
    ...(figure.samples === 1 ? ["", "", ""] : [figure.p95, figure.p99, figure.max].map(number)),
    figure.unit,
    String(figure.samples),
    figure.floor === null ? "" : number(figure.floor.p50),
    figure.floor === null ? "" : figure.floor.ratio.toFixed(2),
  ]);
  return textOf([[...columns], ...rows]);
}

/** Medians; of those gaps whose tail has an aim too, p50 / p95 / max. */
export function comparisonsOf(comparisons: readonly Comparison[]): string {
  const peers = [...new Set(comparisons.flatMap(({ theirs }) => theirs.map(({ name }) => name)))];
  const head = ["", "unit", "ours", ...peers, ...peers.map((name) => `ours/${name}`), "aim", ""];
  const rows = comparisons.map(({ network, work, unit, ours, theirs, aim, isReached }) => {
    const hasTail = aim?.kind === "absolute" && aim.p95 !== undefined;
    const cell = ({ p50, p95, max }: Distribution) =>
      hasTail ? [p50, p95, max].map(number).join(" / ") : number(p50);
    const their = peers.map((peer) => theirs.find(({ name }) => name === peer));
    return [
      `${network}: ${work}`,
      unit,
      cell(ours),
      ...their.map((found) => (found === undefined ? "-" : cell(found))),
      ...their.map((found) => (found === undefined ? "-" : found.ratio.toFixed(2))),
      aim === null ? "" : aimText(aim, unit),
      isReached === null ? "" : isReached ? "reached" : "missed",
    ];
  });
  return textOf([head, ...rows]);
}

/** In columns, the first flush left. */
function textOf(all: readonly (readonly string[])[]): string {
  const columnCount = all[0]?.length ?? 0;
  const widths = Array.from({ length: columnCount }, (_, at) =>
    Math.max(...all.map((row) => row[at]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join("  ")
      .trimEnd();
  return `${all.map(line).join("\n")}\n`;
}

export function machineLine(machine: Machine): string {
  const { cores, processor, memoryMegabytes, node, kernel, fileSystem, commit } = machine;
  const memory = `${Math.round(memoryMegabytes / 1024)} GB`;
  return `${cores} cores (${processor}), ${memory}, ${fileSystem}, Linux ${kernel}, Node ${node}, ${commit}\n`;
}

function number(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en");
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 3);
}
