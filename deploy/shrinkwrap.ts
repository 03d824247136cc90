/**
 * npm-shrinkwrap.json, from package-lock.json: npm leaves a lockfile out of a package, and an installation would take
 * whatever versions are newest that day. `npm pack` writes it, packs it, and removes it.
 */
import { readFileSync, writeFileSync } from "node:fs";

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
}

/** npm would install the development's packages, too, and ask the registry that somebody else used. */
const leftOut: ReadonlySet<string> = new Set(["devDependencies", "resolved"]);

const [, , path = "npm-shrinkwrap.json"] = process.argv;
const lockfile: Lockfile = JSON.parse(readFileSync("package-lock.json", "utf8"));
const packages = Object.entries(lockfile.packages)
  .filter(([, { dev }]) => dev !== true)
  .map(([location, locked]) => [
    location,
    Object.fromEntries(Object.entries(locked).filter(([field]) => !leftOut.has(field))),
  ]);
const shrinkwrap = { ...lockfile, packages: Object.fromEntries(packages) };
writeFileSync(path, `${JSON.stringify(shrinkwrap, null, 2)}\n`);
