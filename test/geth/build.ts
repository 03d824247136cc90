/**
 * Builds geth, the execution client that the tests drive, from its Go module, and prints where it is.
 * It takes Go and some ten minutes once; after that the binary is in the user's cache.
 *
 *   npm run build:geth
 */

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { gethPackage, gethPath, hasGeth } from "./binary.ts";

if (!hasGeth()) {
  mkdirSync(dirname(gethPath), { recursive: true });
  const { status, error } = spawnSync("go", ["install", gethPackage], {
    stdio: "inherit",
    // GOTOOLCHAIN: a Go that is too old shall say so, and not fetch another.
    env: { ...process.env, GOBIN: dirname(gethPath), GOTOOLCHAIN: "local" },
  });
  if (status !== 0) {
    const reason = error?.message ?? `go install ended with ${status}`;
    process.stderr.write(`geth could not be built: ${reason}\n`);
    process.exit(1);
  }
}
process.stdout.write(`${gethPath}\n`);
