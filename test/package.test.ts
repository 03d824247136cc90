import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";

interface LockedPackage {
  readonly dev?: boolean;
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

describe("npm-shrinkwrap.json", () => {
  it("has the lockfile's versions, nothing of the development's, and no registry", () => {
    const directory = mkdtempSync(join(tmpdir(), "shrinkwrap-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const path = join(directory, "npm-shrinkwrap.json");
    execFileSync(process.execPath, ["deploy/shrinkwrap.ts", path]);
    const text = readFileSync(path, "utf8");
    const { packages: packed } = JSON.parse(text) as { readonly packages: typeof packages };
    const expected = Object.entries(packages).filter(([, { dev }]) => dev !== true);
    const versions = (of: readonly (readonly [string, LockedPackage])[]) =>
      of.map(([location, { version }]) => `${location} ${version}`);
    expect(versions(Object.entries(packed))).toEqual(versions(expected));
    expect(packed[""]).not.toHaveProperty("devDependencies");
    expect(text).not.toContain("resolved");
    expect(text).not.toMatch(/"https?:[^"]*\.tgz/);
  });
});

/** Whether one of the range's alternatives is "any", or begins at or below the oldest major. */
function allows(range: string): boolean {
  return range.split("||").some((part) => {
    const [, operator, major] = /^\s*(>=)\s*(\d+)/.exec(part) ?? [];
    return part.trim() === "*" || (operator === ">=" && Number(major) <= oldestMajor);
  });
}
