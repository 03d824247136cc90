/** Durations in Go's syntax (`1h2m3.5s`), which ev-node's files and flags use. Values are milliseconds. */

import { fail, ok, type Parsed } from "./parsed.ts";

const nanosecondsPerUnit: ReadonlyMap<string, number> = new Map([
  ["ns", 1],
  ["us", 1e3],
  ["µs", 1e3], // U+00B5, micro sign
  ["μs", 1e3], // U+03BC, Greek letter mu
  ["ms", 1e6],
  ["s", 1e9],
  ["m", 60e9],
  ["h", 3600e9],
]);

/** Go keeps a duration in a signed 64-bit count of nanoseconds: about 292 years. */
const durationMaxNs = 2 ** 63;

/** Reads what Go's `time.ParseDuration` reads, with the same meaning; the value is in milliseconds. */
export function parseDuration(text: string): Parsed<number> {
  const sign = text.startsWith("-") ? -1 : 1;
  const digits = /^[+-]/.test(text) ? text.slice(1) : text;
  if (digits === "0") return ok(0);
  if (text === "") return fail("is empty; write a duration such as 500ms or 1m30s");
  if (digits === "") return notADuration(text);
  if (/^\d+$/.test(digits)) {
    return fail(`"${text}" has no unit; write ${text}ms for milliseconds or ${text}s for seconds`);
  }
  let totalNs = 0;
  let rest = digits;
  while (rest !== "") {
    const part = /^(\d+\.?\d*|\.\d+)([^\d.]*)/.exec(rest);
    if (part === null) return notADuration(text);
    const [matched, amount = "", unit = ""] = part;
    const unitNs = nanosecondsPerUnit.get(unit);
    if (unitNs === undefined) return unknownUnit(text, amount, unit);
    totalNs += nanosecondsOf(amount, unitNs);
    rest = rest.slice(matched.length);
  }
  if (totalNs >= durationMaxNs) return fail(`"${text}" is longer than 292 years; write less`);
  return ok((sign * Math.trunc(totalNs)) / 1e6);
}

/** The fraction apart from the whole, as Go does: `1.001 * 1e9` is less than what it should be. */
function nanosecondsOf(amount: string, unitNs: number): number {
  const [whole = "", fraction = ""] = amount.split(".");
  // Beyond 15 digits there is no nanosecond in it, and no exact number either.
  const digits = fraction.slice(0, 15);
  return Number(whole) * unitNs + Math.trunc(Number(digits) * (unitNs / 10 ** digits.length));
}

function notADuration(text: string): Parsed<never> {
  return fail(`"${text}" is no duration; write a number with a unit, such as 500ms or 1m30s`);
}

function unknownUnit(text: string, amount: string, unit: string): Parsed<never> {
  if (unit === "") return fail(`"${text}" ends without a unit; write ${text}ms or ${text}s`);
  if (unit.trim() === "d") {
    return fail(`"${text}" counts in days; write hours: ${Number(amount) * 24}h`);
  }
  if (/\s/.test(text)) return fail(`"${text}" has a space in it; write it without`);
  return fail(`"${text}" has the unknown unit "${unit}"; the units are ns us ms s m h`);
}

/** As Go prints it: `200ms`, `1.5s`, `1m0s`, `0s`. */
export function formatDuration(durationMs: number): string {
  const totalNs = Math.round(Math.abs(durationMs) * 1e6);
  const sign = durationMs < 0 && totalNs > 0 ? "-" : "";
  if (totalNs === 0) return "0s";
  if (totalNs < 1e3) return `${sign}${totalNs}ns`;
  if (totalNs < 1e6) return `${sign}${decimal(totalNs, 1e3)}µs`;
  if (totalNs < 1e9) return `${sign}${decimal(totalNs, 1e6)}ms`;
  const hours = Math.floor(totalNs / 3600e9);
  const minutes = Math.floor((totalNs % 3600e9) / 60e9);
  const seconds = `${decimal(totalNs % 60e9, 1e9)}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}

/** `totalNs / unitNs` without rounding and without trailing zeros. */
function decimal(totalNs: number, unitNs: number): string {
  const whole = Math.floor(totalNs / unitNs);
  const fraction = String(totalNs % unitNs).padStart(String(unitNs).length - 1, "0");
  const significant = fraction.replace(/0+$/, "");
  return significant === "" ? String(whole) : `${whole}.${significant}`;
}
