import { expect, it } from "vitest";
import { compareBytes, crc32c, fromHex, toHex } from "../../src/base/bytes.ts";

it("crc32c gives the check value of RFC 3720", () => {
  expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
});

it("crc32c is the same, however long the bytes are and wherever they begin", () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, at) => (at * 151) ^ (at >>> 3));
  for (let from = 0; from < 9; from++) {
    for (let to = from; to <= bytes.length; to += 7) {
      const part = bytes.subarray(from, to);
      expect(crc32c(part)).toBe(bitwiseCrc32c(part));
      expect(crc32c(part.subarray(3), crc32c(part.subarray(0, 3)))).toBe(bitwiseCrc32c(part));
    }
  }
});

/** Straight from the polynomial. */
function bitwiseCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

it("hex reads what it wrote, and nothing else", () => {
  const bytes = Uint8Array.from([0, 1, 15, 16, 255]);
  expect(toHex(bytes)).toBe("00010f10ff");
  expect(fromHex("0x00010f10ff")).toEqual(bytes);
  expect(fromHex("abc")).toBeNull();
  expect(fromHex("zz")).toBeNull();
});

it.each([
  [[], [], 0],
  [[1], [1, 0], -1],
  [[2], [1, 9], 1],
])("compareBytes orders %j and %j", (a, b, sign) => {
  expect(Math.sign(compareBytes(Uint8Array.from(a), Uint8Array.from(b)))).toBe(sign);
});
