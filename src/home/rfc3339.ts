/** RFC 3339 times to the nanosecond, which Date does not keep. */

const pattern =
  /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:Z|([+-])(\d{2}):(\d{2}))$/;

/** Unix nanoseconds of an RFC 3339 time, negative before 1970; null if it is none. */
export function parseRfc3339(text: string): bigint | null {
  const match = pattern.exec(text);
  if (match === null) return null;
  const part = (group: number) => Number(match[group] ?? "0");
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map(part);
  const date = new Date(0);
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(year ?? 0, (month ?? 0) - 1, day);
  date.setUTCHours(hour ?? 0, minute, second);
  // Date lets the 31st of February run over into March.
  if (date.toISOString().slice(0, 19) !== text.slice(0, 19)) return null;
  const offsetHours = part(9);
  const offsetMinutes = part(10);
  if (offsetHours > 23 || offsetMinutes > 59) return null;
  const offset = (offsetHours * 60 + offsetMinutes) * 60_000 * (match[8] === "-" ? -1 : 1);
  const fraction = BigInt((match[7] ?? "").padEnd(9, "0"));
  return BigInt(date.getTime() - offset) * 1_000_000n + fraction;
}

/** In UTC, without trailing zeros in the fraction, as Go prints it. */
export function formatRfc3339(timeNs: bigint): string {
  const fraction = ((timeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = (timeNs - fraction) / 1_000_000_000n;
  const date = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const digits = fraction.toString().padStart(9, "0").replace(/0+$/, "");
  return digits === "" ? `${date}Z` : `${date}.${digits}Z`;
}
