/** The parts that need no server. */

import { expect, it } from "vitest";
import { fromBase64, rfc3339Nano, utf8 } from "../../src/rpc/encoding.ts";
import { TokenBucket } from "../../src/rpc/token-bucket.ts";

it.each([
  [0n, "1970-01-01T00:00:00Z"],
  [1n, "1970-01-01T00:00:00.000000001Z"],
  [1_667_815_199_887_548_533n, "2022-11-07T09:59:59.887548533Z"],
  [1_665_609_318_290_760_240n, "2022-10-12T21:15:18.29076024Z"],
  [1_750_000_000_000_000_000n, "2025-06-15T15:06:40Z"],
  [-1n, "1969-12-31T23:59:59.999999999Z"],
])("%d ns is %s, as Go writes it", (timeNs, text) => {
  expect(rfc3339Nano(timeNs)).toBe(text);
});

it.each([
  ["", []],
  ["YT1i", [0x61, 0x3d, 0x62]],
  ["/wA=", [0xff, 0x00]],
  ["YT1", null],
  ["YT1i\n", null],
  ["_wA=", null],
  ["Y===", null],
])("base64 %j is read strictly", (text, bytes) => {
  expect(fromBase64(text)).toEqual(bytes && Uint8Array.from(bytes));
});

it("text keeps its byte order mark, and bytes that are no text are none", () => {
  expect(utf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe("\ufeffa");
  expect(utf8(Uint8Array.of(0xff))).toBeNull();
});

it("a token bucket lets a burst through, then its rate", () => {
  let nowMs = 1000;
  const bucket = new TokenBucket({ perSecond: 500, burst: 2 }, () => nowMs);
  expect([bucket.take(), bucket.take(), bucket.take()]).toEqual([0, 0, 2]);
  nowMs += 1;
  expect(bucket.take()).toBe(1);
  nowMs += 1;
  expect(bucket.take()).toBe(0);
  nowMs += 3_600_000;
  expect([bucket.take(), bucket.take(), bucket.take()]).toEqual([0, 0, 2]);
});
