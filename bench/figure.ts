/** What a benchmark finds out: a named quantity, its distribution, and what it stands in proportion to. */

import { assert } from "../src/base/assert.ts";

export type Unit = "ms" | "per s" | "s" | "MB" | "calls";

export interface Distribution {
  readonly samples: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface Figure extends Distribution {
  readonly section: string;
  readonly name: string;
  readonly unit: Unit;
  /** The same work done by nothing but the system calls under it, in the same run; null where there is none. */
  readonly floor: { readonly name: string; readonly p50: number; readonly ratio: number } | null;
}

export interface Floor {
  readonly name: string;
  readonly samples: readonly number[];
}

/** Of many samples, or of one. */
export function distribution(samples: readonly number[]): Distribution {
  assert(samples.length > 0, "a distribution is of something");
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    samples: sorted.length,
    p50: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    p99: quantile(sorted, 0.99),
    max: quantile(sorted, 1),
  };
}

/** A figure of many samples, or of one. */
export function figure(
  section: string,
  name: string,
  unit: Unit,
  samples: readonly number[],
  floor: Floor | null = null,
): Figure {
  assert(samples.length > 0, "a figure has samples", { section, name });
  const measured = distribution(samples);
  const floorMs = floor === null ? null : median(floor.samples);
  return {
    section,
    name,
    unit,
    ...measured,
    floor:
      floor === null || floorMs === null
        ? null
        : { name: floor.name, p50: floorMs, ratio: measured.p50 / floorMs },
  };
}

export function median(samples: readonly number[]): number {
  assert(samples.length > 0, "a median is of something");
  return quantile(
    samples.toSorted((a, b) => a - b),
    0.5,
  );
}

/** The nearest rank: always a value that was measured. */
function quantile(sorted: readonly number[], part: number): number {
  const rank = Math.max(0, Math.ceil(part * sorted.length) - 1);
  return sorted[rank] ?? Number.NaN;
}

/** "512 B", "10 KB", "1 MB". */
export function sizeText(sizeBytes: number): string {
  if (sizeBytes >= 1024 * 1024) return `${sizeBytes / (1024 * 1024)} MB`;
  return sizeBytes >= 1024 ? `${sizeBytes / 1024} KB` : `${sizeBytes} B`;
}
