import { describe, expect, it } from "vitest";
import { formatSocketAddress, parseSocketAddress } from "../../src/config/address.ts";
import { fraction } from "../../src/config/key.ts";

describe("host:port", () => {
  it.each([
    ["10.0.0.1:5001", "10.0.0.1", 5001],
    ["[fd00::1]:5001", "fd00::1", 5001],
    ["[fe80::1%eth0]:1", "fe80::1%eth0", 1],
    ["node-1.example:65535", "node-1.example", 65535],
    [":0", "", 0],
  ])("%s is read, and written again as it was", (text, host, port) => {
    expect(parseSocketAddress(text)).toEqual({ ok: true, value: { host, port } });
    expect(formatSocketAddress({ host, port })).toBe(text);
  });

  it.each([
    ["[@]:1", "is no [address]:port of IPv6"],
    ["[::1]", "is no [address]:port of IPv6"],
    ["[::1:5001", "is no [address]:port of IPv6"],
    ["[a b]:1", "has a space in it"],
    ["[http://x]:1", "is a URL"],
  ])("%s is refused: brackets do not make it an address", (text, problem) => {
    const parsed = parseSocketAddress(text);
    expect(parsed.ok ? "" : parsed.problem).toContain(problem);
  });
});

describe("a share", () => {
  it("of very many digits is judged in one pass over them", () => {
    // With a second pass for each digit this would be 10^11 steps.
    expect(fraction(0.5, "").parse(`${"0".repeat(500_000)}x`).ok).toBe(false);
    expect(fraction(0.5, "").parse(`0.${"0".repeat(500_000)}`)).toEqual({ ok: true, value: 0 });
  });
});
