import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { InvariantError } from "../../../src/base/assert.ts";
import { mintToken, parseJwtSecret } from "../../../src/execution/engine/jwt.ts";

const hex = "42".repeat(32);

describe("the Engine API's token", () => {
  it("is a JWT with HS256, type JWT, iat and exp an hour later, in this order", () => {
    const [header = "", claims = "", mac] = mintToken(parseJwtSecret(hex), 1_700_000_000).split(
      ".",
    );
    expect(text(header)).toBe('{"alg":"HS256","typ":"JWT"}');
    expect(text(claims)).toBe('{"iat":1700000000,"exp":1700003600}');
    const expected = createHmac("sha256", Buffer.from(hex, "hex")).update(`${header}.${claims}`);
    expect(mac).toBe(expected.digest("base64url"));
  });

  it("is as another implementation writes it", () => {
    // Python: hmac.new(b"\x42" * 32, header + b"." + claims, "sha256"), URL-safe base64 without padding.
    expect(mintToken(parseJwtSecret(hex), 1_700_000_000)).toBe(
      [
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
        "eyJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0",
        "dVeoIZBY5tT0ghJfEry5nOerb1SoAA2Gr-ZcZO09n94",
      ].join("."),
    );
  });
});

describe("the secret", () => {
  it.each([hex, `0x${hex}`, `  ${hex.toUpperCase()}\n`])("is 32 bytes of %j", (given) => {
    expect(parseJwtSecret(given)).toHaveLength(32);
  });

  it("has been checked before: another length is a bug", () => {
    expect(() => parseJwtSecret("42")).toThrow(InvariantError);
  });
});

function text(part: string): string {
  return Buffer.from(part, "base64url").toString("utf8");
}
