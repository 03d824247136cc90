/** Numbers of a measurement as an operator wants to read them. */

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The smallest value that at least this share of the values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** `n=20 min=31 p50=44 p95=80 max=91 ms` */
export function describeDistribution(values: readonly number[]): string {
  const at = (share: number) => Math.round(quantile(values, share));
  return `n=${values.length} min=${at(0)} p50=${at(0.5)} p95=${at(0.95)} max=${at(1)} ms`;
}

/** Into the output of the test run: what was measured is worth reading also when it passes. */
export function report(line: string): void {
  process.stdout.write(`${line}\n`);
}
