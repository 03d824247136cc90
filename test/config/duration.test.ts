import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "../../src/config/duration.ts";

describe("parseDuration", () => {
  // The table of Go's time package, in milliseconds.
  it.each([
    ["0", 0],
    ["+0", 0],
    ["-0", 0],
    ["0s", 0],
    ["5s", 5000],
    ["30s", 30_000],
    ["1478s", 1_478_000],
    ["-5s", -5000],
    ["+5s", 5000],
    ["5.0s", 5000],
    ["5.6s", 5600],
    ["5.s", 5000],
    [".5s", 500],
    ["1.004s", 1004],
    ["1.001s", 1001],
    ["1s.001s", 1001],
    ["100.00100s", 100_001],
    ["10ns", 0.00001],
    ["11us", 0.011],
    ["12µs", 0.012],
    ["12μs", 0.012],
    ["13ms", 13],
    ["14s", 14_000],
    ["15m", 900_000],
    ["16h", 57_600_000],
    ["3h30m", 12_600_000],
    ["10.5s4m", 250_500],
    ["-2m3.4s", -123_400],
    ["1h2m3s4ms5us6ns", 3_723_004.005006],
    ["39h9m14.425s", 140_954_425],
    ["0.100000000000000000000h", 360_000],
  ])("reads %s as Go does", (text, durationMs) => {
    expect(parseDuration(text)).toEqual({ ok: true, value: durationMs });
  });

  it.each([
    ["", "is empty; write a duration such as 500ms or 1m30s"],
    ["3", '"3" has no unit; write 3ms for milliseconds or 3s for seconds'],
    ["-3", '"-3" has no unit; write -3ms for milliseconds or -3s for seconds'],
    ["1.5", '"1.5" ends without a unit; write 1.5ms or 1.5s'],
    ["1m30", '"1m30" ends without a unit; write 1m30ms or 1m30s'],
    ["-", '"-" is no duration; write a number with a unit, such as 500ms or 1m30s'],
    ["s", '"s" is no duration; write a number with a unit, such as 500ms or 1m30s'],
    [".", '"." is no duration; write a number with a unit, such as 500ms or 1m30s'],
    [".s", '".s" is no duration; write a number with a unit, such as 500ms or 1m30s'],
    ["3000d", '"3000d" counts in days; write hours: 72000h'],
    ["1 s", '"1 s" has a space in it; write it without'],
    ["5sec", '"5sec" has the unknown unit "sec"; the units are ns us ms s m h'],
    ["5S", '"5S" has the unknown unit "S"; the units are ns us ms s m h'],
    ["9223372036854775808ns", '"9223372036854775808ns" is longer than 292 years; write less'],
    ["3000000h", '"3000000h" is longer than 292 years; write less'],
  ])("refuses %j with advice", (text, problem) => {
    const parsed = parseDuration(text);
    expect(parsed.ok ? "no problem" : parsed.problem.trim()).toBe(problem);
  });
});

describe("formatDuration", () => {
  it.each([
    [0, "0s"],
    [0.000001, "1ns"],
    [0.0011, "1.1µs"],
    [2.2, "2.2ms"],
    [350, "350ms"],
    [1000, "1s"],
    [3300, "3.3s"],
    [60_000, "1m0s"],
    [245_001, "4m5.001s"],
    [18_367_001, "5h6m7.001s"],
    [-1500, "-1.5s"],
    [480_000.000001, "8m0.000000001s"],
  ])("prints %s ms as Go does", (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });

  it("is read back as the same duration, to the nanosecond", () => {
    // Beyond 2^52 ns a double no longer holds every nanosecond.
    const nanoseconds = fc.integer({ min: -(2 ** 50), max: 2 ** 50 });
    fc.assert(
      fc.property(nanoseconds, (totalNs) => {
        const parsed = parseDuration(formatDuration(totalNs / 1e6));
        expect(parsed.ok && Math.round(parsed.value * 1e6)).toBe(totalNs);
      }),
    );
  });
});
