/** The Go programs of this folder: where each is, once built from the sources that are here now. */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** hashicorp/raft beside our Raft; ev-node beside all the rest. */
export type Program = "hashicorp" | "evnode";

export const programs: readonly Program[] = ["hashicorp", "evnode"];

/** What the programs share. */
const common = "questions";

const { XDG_CACHE_HOME } = process.env;
const cache = XDG_CACHE_HOME ?? join(homedir(), ".cache");

/** Those of other sources are under it too, until the next build. */
export const programsDir = join(cache, "ev-sequencer", "interop");

export function sourceOf(program: Program): string {
  return join(import.meta.dirname, program);
}

export function pathOf(program: Program): string {
  return join(programsDir, `${program}-${fingerprint(program)}`);
}

export function hasProgram(program: Program): boolean {
  return existsSync(pathOf(program));
}

/** The name of a suite that needs the program: where there is none it says what to do. */
export function needing(program: Program, name: string): string {
  if (hasProgram(program)) return name;
  return `${name} (skipped: no ${program} program; with Go, build it: npm run build:interop)`;
}

function fingerprint(program: Program): string {
  const hash = createHash("sha256");
  for (const folder of [common, program]) {
    const directory = join(import.meta.dirname, folder);
    for (const name of readdirSync(directory).sort()) {
      hash.update(name).update(readFileSync(join(directory, name)));
    }
  }
  return hash.digest("hex").slice(0, 12);
}
