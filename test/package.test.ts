import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

interface LockedPackage {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly optional?: boolean;
  readonly engines?: { readonly node?: string };
}

/** The oldest Node whose npm may install this project; the `node` package then runs the scripts. */
const oldestMajor = 18;

const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};

describe("package-lock.json", () => {
  it("has every optional package, also of other platforms: npm ci refuses it without", () => {
    const named = Object.entries(packages).flatMap(([location, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).map((name) => ({ location, name })),
    );
    const missing = named.filter(
      ({ location, name }) =>
        packages[`${location}/node_modules/${name}`]?.version === undefined &&
        packages[`node_modules/${name}`]?.version === undefined,
    );
    expect(missing).toEqual([]);
    expect(named.length).toBeGreaterThan(0);
  });

  it("has no optional package that an old npm would leave out", () => {
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
