/** How long things took, in little memory however many there were. */

/** Neighbouring buckets differ by this factor: what is read is at most 2% off. */
const growth = 1.04;

export class LatencyHistogram {
  readonly #counts = new Map<number, number>();
  #total = 0;

  record(durationMs: number): void {
    const bucket = Math.round(Math.log(Math.max(durationMs, 0.01)) / Math.log(growth));
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1);
    this.#total += 1;
  }

  /** The duration in milliseconds that `share` (0 to 1) of all stay within; null without any. */
  quantile(share: number): number | null {
    let left = Math.max(1, Math.ceil(share * this.#total));
    for (const bucket of [...this.#counts.keys()].sort((a, b) => a - b)) {
      left -= this.#counts.get(bucket) ?? 0;
      if (left <= 0) return growth ** bucket;
    }
    return null;
  }
}

/** The exact quantile of a few values (nearest rank); null without any. */
export function quantileOf(values: readonly number[], share: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}
