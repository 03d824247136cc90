import { expect, it } from "vitest";
import { compareBytes, crc32c, fromHex, toHex } from "../../src/base/bytes.ts";

it("crc32c gives the check value of RFC 3720", () => {
  expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
});

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
