import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

interface LockedPackage {
  readonly optional?: boolean;
  readonly engines?: { readonly node?: string };
}

/** The oldest Node whose npm may install this project; the `node` package then runs the scripts. */
const oldestMajor = 18;

describe("package-lock.json", () => {
  it("has no optional package that an old npm would leave out", () => {
    const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
      readonly packages: Readonly<Record<string, LockedPackage>>;
    };
    // npm only warns of the engines of others; optional ones, which hold native binaries, it skips.
    const leftOut = Object.entries(packages).filter(
      ([, { optional, engines }]) => optional === true && !allows(engines?.node ?? "*"),
    );
    expect(leftOut.map(([location, { engines }]) => `${location} (${engines?.node})`)).toEqual([]);
  });
});

/** Whether one of the range's alternatives is "any", or begins at or below the oldest major. */
function allows(range: string): boolean {
  return range.split("||").some((part) => {
    const [, operator, major] = /^\s*(>=)\s*(\d+)/.exec(part) ?? [];
    return part.trim() === "*" || (operator === ">=" && Number(major) <= oldestMajor);
  });
}
