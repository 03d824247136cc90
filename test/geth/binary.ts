/** Which geth the tests drive, and where it is. `GETH` names another one. */

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const version = "v1.16.9";
const { GETH, XDG_CACHE_HOME } = process.env;
const cache = XDG_CACHE_HOME ?? join(homedir(), ".cache");

export const gethPackage = `github.com/ethereum/go-ethereum/cmd/geth@${version}`;

export const gethPath = GETH ?? join(cache, "ev-sequencer", `geth-${version}`, "geth");

export function hasGeth(): boolean {
  return existsSync(gethPath);
}

/** The name of a suite that needs geth: where there is none it says what to do. */
export function needingGeth(name: string): string {
  return hasGeth() ? name : `${name} (skipped: no geth; build it with: npm run build:geth)`;
}
