// Makes package-lock.json complete and free of download addresses.
//
// npm leaves optional platform packages that a registry could not serve out of the lockfile, and
// `npm ci` then refuses that lockfile everywhere. Each is a name whose ending says its platform, so
// its entry can be written without having been downloaded. Run after `npm install`.
import { readFileSync, writeFileSync } from "node:fs";

const path = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(path, "utf8"));
const platform =
  /-(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)-(arm64|armv7|arm|x64|ia32|loong64|mips64el|ppc64|riscv64|s390x)(-(?:musl|gnu|msvc)?(?:eabi(?:hf)?)?)?$/;

for (const [location, entry] of Object.entries(lock.packages)) {
  delete entry.resolved;
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const nested = `${location}/node_modules/${name}`;
    const hoisted = `node_modules/${name}`;
    const match = platform.exec(name);
    if (location === "" || nested in lock.packages || hoisted in lock.packages || !match) continue;
    if (!/^\d/.test(version)) throw new Error(`${name}: ${version} is no exact version`);
    const [, os, cpu, libc] = match;
    lock.packages[hoisted] = {
      version,
      cpu: [cpu === "armv7" ? "arm" : cpu],
      ...(libc?.startsWith("-musl") ? { libc: ["musl"] } : {}),
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
      os: [os],
    };
  }
}
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)),
);
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
