/**
 * Builds the Go programs of this folder. It takes Go, and some minutes once; after that they are in the
 * user's cache until their sources change.
 *
 *   npm run build:interop
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { hasProgram, pathOf, programs, programsDir, sourceOf } from "./programs.ts";

mkdirSync(programsDir, { recursive: true });
for (const program of programs) {
  const path = pathOf(program);
  if (!hasProgram(program)) {
    const { status, error } = spawnSync("go", ["build", "-o", path, "."], {
      cwd: sourceOf(program),
      stdio: "inherit",
      // A Go that is too old shall say so, and not fetch another.
      env: { ...process.env, GOTOOLCHAIN: "local" },
    });
    if (status !== 0) {
      const reason = error?.message ?? `go build ended with ${status}`;
      process.stderr.write(`${program} could not be built: ${reason}\n`);
      process.exit(1);
    }
  }
  process.stdout.write(`${path}\n`);
}
const current = new Set(programs.map((program) => basename(pathOf(program))));
for (const name of readdirSync(programsDir)) {
  if (!current.has(name)) rmSync(join(programsDir, name));
}
